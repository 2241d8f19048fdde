#include "bench/onednn_product.h"

#include <unordered_map>

#include <dnnl.hpp>

namespace preamble::bench {

struct OneDnnProduct::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul product;
  std::unordered_map<int, dnnl::memory> arguments;
};

OneDnnProduct::OneDnnProduct(std::int64_t rows, std::int64_t k, std::int64_t n, bool out_in, const BFloat16* x, const BFloat16* w, BFloat16* y, bool packed)
    : state_(std::make_unique<State>()) {
  using dnnl::memory;
  constexpr auto kType = memory::data_type::bf16;
  const auto& engine = state_->engine;
  const memory::desc x_desc({rows, k}, kType, memory::format_tag::ab);
  const memory::desc y_desc({rows, n}, kType, memory::format_tag::ab);
  const memory::desc w_desc({k, n}, kType, out_in ? memory::format_tag::ba : memory::format_tag::ab);
  const memory::desc w_any({k, n}, kType, memory::format_tag::any);
  const dnnl::matmul::primitive_desc chosen({x_desc, packed ? w_any : w_desc, y_desc}, engine);
  state_->product = dnnl::matmul(chosen);
  memory weights(w_desc, engine, const_cast<BFloat16*>(w));
  if (packed && chosen.weights_desc() != w_desc) {
    memory reordered(chosen.weights_desc(), engine);
    dnnl::reorder(weights, reordered).execute(state_->stream, weights, reordered);
    state_->stream.wait();
    weights = reordered;
  }
  state_->arguments = {{DNNL_ARG_SRC, memory(x_desc, engine, const_cast<BFloat16*>(x))}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, memory(y_desc, engine, y)}};
}

OneDnnProduct::~OneDnnProduct() = default;

void OneDnnProduct::run() {
  state_->product.execute(state_->stream, state_->arguments);
  state_->stream.wait();
}

bool OneDnnProduct::available() noexcept {
  // a processor may have no products of bf16 that oneDNN knows
  try {
    BFloat16 numbers[3] = {};
    OneDnnProduct(1, 1, 1, true, numbers, numbers + 1, numbers + 2, false).run();
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace preamble::bench
