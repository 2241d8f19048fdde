#include "tools/shared_jobs.h"

#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace preamble {
namespace {

constexpr std::chrono::milliseconds kBetweenNews{100};

// the first letter of a rank's news; behind `done` stands what the job gave
constexpr char kIdle = 'i';
constexpr char kBusy = 'b';
constexpr char kDone = 'd';
constexpr char kFailed = 'f';

/// The job that this rank has.
class OwnJob {
 public:
  void start(const std::function<std::string(std::size_t)>& work, std::size_t job) {
    std::packaged_task<std::string()> task([work, job] { return work(job); });
    result_ = task.get_future();
    std::thread(std::move(task)).detach();
  }
  /// What the others hear. The error of a failed job goes to `error`.
  [[nodiscard]] std::string news(std::exception_ptr& error) {
    if (!result_.valid()) return {kIdle};
    if (result_.wait_for(kBetweenNews) != std::future_status::ready) return {kBusy};
    try {
      return kDone + result_.get();
    } catch (...) {
      error = std::current_exception();
      return {kFailed};
    }
  }

 private:
  std::future<std::string> result_;
};

}  // namespace

void share_jobs(Communicator& ranks, std::size_t count, const std::function<std::string(std::size_t)>& work,
                const std::function<void(std::size_t, const std::string&)>& done) {
  if (ranks.size() == 1) {
    for (std::size_t job = 0; job < count; ++job) done(job, work(job));
    return;
  }
  // equal on all ranks: each makes the same of the same news
  std::vector<std::optional<std::size_t>> jobs(static_cast<std::size_t>(ranks.size()));
  std::size_t next = 0, left = count;
  OwnJob own;
  while (left > 0) {
    std::exception_ptr error;
    const std::string mine = own.news(error);
    const auto news = ranks.gather_all(std::as_bytes(std::span(mine)), "news of jobs");
    bool failed = false, any_done = false;
    for (std::size_t r = 0; r < news.size(); ++r) {
      const std::string_view text(reinterpret_cast<const char*>(news[r].data()), news[r].size());
      failed = failed || text.front() == kFailed;
      if (text.front() != kDone) continue;
      done(jobs[r].value(), std::string(text.substr(1)));
      jobs[r].reset();
      --left;
      any_done = true;
    }
    if (error) std::rethrow_exception(error);
    if (failed) continue;
    for (std::size_t r = 0; r < jobs.size() && next < count; ++r) {
      if (jobs[r]) continue;
      jobs[r] = next++;
      if (r == static_cast<std::size_t>(ranks.rank())) own.start(work, *jobs[r]);
    }
    if (!any_done && news[static_cast<std::size_t>(ranks.rank())].front() == static_cast<std::byte>(kIdle)) std::this_thread::sleep_for(kBetweenNews);
  }
}

}  // namespace preamble
