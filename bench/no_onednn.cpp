// For builds without oneDNN.
#include "bench/onednn_product.h"

#include "engine/core/error.h"

namespace preamble::bench {

struct OneDnnProduct::State {};

OneDnnProduct::OneDnnProduct(std::int64_t /*rows*/, std::int64_t /*k*/, std::int64_t /*n*/, bool /*out_in*/, const BFloat16* /*x*/, const BFloat16* /*w*/,
                             BFloat16* /*y*/, bool /*packed*/) {
  raise<UnsupportedError>("products: oneDNN was asked for; this build has none");
}

OneDnnProduct::~OneDnnProduct() = default;

void OneDnnProduct::run() {}

bool OneDnnProduct::available() noexcept { return false; }

}  // namespace preamble::bench
