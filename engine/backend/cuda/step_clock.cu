#include "engine/backend/cuda/step_clock.h"

#include <algorithm>
#include <utility>

#include "engine/backend/cuda/check.h"

namespace preamble::cuda {
namespace {

/// ` [rows, 1024]`
std::string describe(const View& view) {
  std::string text = " [";
  if (view.layout != nullptr) text += std::to_string(view.rows) + (view.dims->empty() ? "" : ", ");
  for (std::size_t i = 0; i < view.dims->size(); ++i) text += (i > 0 ? ", " : "") + std::to_string((*view.dims)[i]);
  text += "]";
  if (view.dtype != Dtype::bf16) text += std::string(" ") + std::string(name_of(view.dtype));
  return text;
}

}  // namespace

StepClock::~StepClock() {
  for (auto* event : events_) cudaEventDestroy(event);
}

cudaEvent_t StepClock::next_event() {
  if (used_ == events_.size()) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "event");
    events_.push_back(event);
  }
  return events_[used_++];
}

void StepClock::begin(cudaStream_t stream) { check(cudaEventRecord(next_event(), stream), "event"); }

void StepClock::end(cudaStream_t stream, std::string_view op, std::span<const View> in, std::span<const View> out) {
  check(cudaEventRecord(next_event(), stream), "event");
  // an optimizer names each of its many parameters
  constexpr std::size_t kMost = 12;
  std::string step(op);
  for (std::size_t i = 0; i < std::min(in.size(), kMost); ++i) step += in[i] ? describe(in[i]) : std::string(" -");
  if (in.size() > kMost) step += " ...";
  step += " ->";
  for (std::size_t i = 0; i < std::min(out.size(), kMost); ++i) step += out[i] ? describe(out[i]) : std::string(" -");
  if (out.size() > kMost) step += " ...";
  steps_.push_back(std::move(step));
}

void StepClock::collect() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    check(cudaEventSynchronize(events_[2 * i + 1]), "a program's steps");
    float time = 0;
    check(cudaEventElapsedTime(&time, events_[2 * i], events_[2 * i + 1]), "event");
    Sum& sum = sums_[steps_[i]];
    ++sum.runs;
    sum.milliseconds += static_cast<double>(time);
  }
  steps_.clear();
  used_ = 0;
}

std::vector<StepTime> StepClock::take() {
  std::vector<StepTime> times;
  for (const auto& [step, sum] : sums_) times.push_back({step, sum.runs, sum.milliseconds});
  sums_.clear();
  std::ranges::stable_sort(times, [](const StepTime& a, const StepTime& b) { return a.milliseconds > b.milliseconds; });
  return times;
}

}  // namespace preamble::cuda
