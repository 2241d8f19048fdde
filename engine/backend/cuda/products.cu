#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <cublasLt.h>

#include "engine/backend/cuda/check.h"
#include "engine/backend/cuda/product_trial.h"
#include "engine/backend/cuda/products.h"

namespace preamble::cuda {
namespace {

struct Destroy {
  void operator()(cublasLtMatmulDescOpaque_t* p) const noexcept { cublasLtMatmulDescDestroy(p); }
  void operator()(cublasLtMatrixLayoutOpaque_t* p) const noexcept { cublasLtMatrixLayoutDestroy(p); }
  void operator()(cublasLtMatmulPreferenceOpaque_t* p) const noexcept { cublasLtMatmulPreferenceDestroy(p); }
};
using Description = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy>;
using MatrixLayout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy>;

/// All that an algorithm may depend on.
using Key = std::array<std::int64_t, 21>;

/// Largest power of two up to 16 that divides the address.
std::int64_t alignment(const void* p) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(p) | 16U;
  return static_cast<std::int64_t>(address & -address);
}

/// What beta multiplies.
const void* addend_of(const Product& p) noexcept { return p.addend != nullptr ? p.addend : p.c; }

/// The matrix beside C that an epilogue writes or reads; null if there is none.
const void* auxiliary_of(const Product& p) noexcept { return p.slope_of != nullptr ? p.slope_of : p.kept; }

Key key_of(const Product& p) {
  return {p.m,
          p.n,
          p.k,
          static_cast<std::int64_t>(p.a_type),
          static_cast<std::int64_t>(p.c_type),
          p.lda,
          p.ldb,
          p.ldc,
          p.transpose_a,
          p.transpose_b,
          p.beta != 0,
          p.bias != nullptr,
          p.gelu_tanh,
          p.slope_of != nullptr ? 2 : p.kept != nullptr ? 1 : 0,
          p.batch,
          p.stride_a,
          p.stride_b,
          p.stride_c,
          alignment(p.a),
          alignment(p.b),
          std::min({alignment(p.c), alignment(addend_of(p)), alignment(p.bias), alignment(auxiliary_of(p))})};
}

std::string describe(const Product& p) {
  std::string text = "product of [" + std::to_string(p.m) + ", " + std::to_string(p.k) + "] and [" + std::to_string(p.k) + ", " +
                     std::to_string(p.n) + "], " + std::string(name_of(p.a_type)) + " and " + std::string(name_of(p.b_type)) + " to " +
                     std::string(name_of(p.c_type));
  if (p.batch != 1) text += ", " + std::to_string(p.batch) + " times";
  return text;
}

cudaDataType_t data_type(Dtype dtype) noexcept { return dtype == Dtype::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

template <class Value>
void set(const Description& d, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(d.get(), attribute, &value, sizeof value), "description of a product");
}

template <class Value>
void set(const Preference& p, cublasLtMatmulPreferenceAttributes_t attribute, Value value) {
  check(cublasLtMatmulPreferenceSetAttribute(p.get(), attribute, &value, sizeof value), "description of a product");
}

/// A column-major matrix, or several.
MatrixLayout layout_of(Dtype type, std::int64_t rows, std::int64_t columns, std::int64_t stride, std::int64_t batch, std::int64_t apart) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, data_type(type), static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), stride),
        "description of a matrix");
  MatrixLayout layout(made);
  if (batch == 1) return layout;
  const auto count = static_cast<std::int32_t>(batch);
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count), "description of a matrix");
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &apart, sizeof apart),
        "description of a matrix");
  return layout;
}

cublasLtEpilogue_t epilogue_of(const Product& p) noexcept {
  if (p.slope_of != nullptr) return CUBLASLT_EPILOGUE_DGELU;
  if (!p.gelu_tanh) return p.bias != nullptr ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (p.kept != nullptr) return p.bias != nullptr ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  return p.bias != nullptr ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
}

/// A shape as cuBLASLt knows it. It takes column-major matrices, so C is made as Cᵀ = op(B)ᵀ op(A)ᵀ: B comes first.
struct Plan {
  Description description;
  MatrixLayout b, a, c;
  cublasLtMatmulAlgo_t algorithm{};

  Plan(const Product& p, bool allow_tf32) {
    const bool fast = allow_tf32 && p.a_type == Dtype::f32;
    cublasLtMatmulDesc_t made = nullptr;
    check(cublasLtMatmulDescCreate(&made, fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F), describe(p));
    description.reset(made);
    set(description, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(description, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p));
    if (auxiliary_of(p) != nullptr) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.ldc);
    b = layout_of(p.b_type, p.transpose_b ? p.k : p.n, p.transpose_b ? p.n : p.k, p.ldb, p.batch, p.stride_b);
    a = layout_of(p.a_type, p.transpose_a ? p.m : p.k, p.transpose_a ? p.k : p.m, p.lda, p.batch, p.stride_a);
    c = layout_of(p.c_type, p.n, p.m, p.ldc, p.batch, p.stride_c);
    point_at(p);
  }

  /// The description names the operands of the epilogue.
  void point_at(const Product& p) const {
    if (p.bias != nullptr) set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    if (auxiliary_of(p) != nullptr) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, auxiliary_of(p));
  }
};

/// Measures time on the device.
class StopWatch {
 public:
  explicit StopWatch(cudaStream_t stream) : stream_(stream) {
    for (auto& event : events_) check(cudaEventCreate(&event), "event");
  }
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;
  ~StopWatch() {
    for (auto* event : events_) cudaEventDestroy(event);
  }
  void start() const { check(cudaEventRecord(events_[0], stream_), "event"); }
  [[nodiscard]] float milliseconds() const {
    check(cudaEventRecord(events_[1], stream_), "event");
    check(cudaEventSynchronize(events_[1]), "trial of a product");
    float time = 0;
    check(cudaEventElapsedTime(&time, events_[0], events_[1]), "event");
    return time;
  }

 private:
  cudaStream_t stream_;
  std::array<cudaEvent_t, 2> events_{};
};

}  // namespace

struct Products::Impl {
  cudaStream_t stream;
  void* workspace;
  bool allow_tf32;
  cublasLtHandle_t handle = nullptr;
  std::mutex mutex;
  std::map<Key, Plan> plans;

  [[nodiscard]] bool is_captured() const {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream, &status), "stream");
    return status != cudaStreamCaptureStatusNone;
  }

  cublasStatus_t multiply(const Plan& plan, const Product& p, const cublasLtMatmulAlgo_t& algorithm) const {
    plan.point_at(p);
    return cublasLtMatmul(handle, plan.description.get(), &p.alpha, p.b, plan.b.get(), p.a, plan.a.get(), &p.beta, addend_of(p),
                          plan.c.get(), p.c, plan.c.get(), &algorithm, workspace, kWorkspaceBytes, stream);
  }

  /// What the heuristics name, best first. Partial sums of a split are kept in float32.
  [[nodiscard]] std::vector<cublasLtMatmulAlgo_t> candidates(const Plan& plan, const Product& p, const Key& key) const {
    constexpr int kMost = 8;
    cublasLtMatmulPreference_t made = nullptr;
    check(cublasLtMatmulPreferenceCreate(&made), "description of a product");
    const Preference preference(made);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceBytes});
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(key[19]));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(key[18]));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(key[20]));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(key[20]));
    std::array<cublasLtMatmulHeuristicResult_t, kMost> results{};
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle, plan.description.get(), plan.b.get(), plan.a.get(), plan.c.get(), plan.c.get(),
                                         preference.get(), kMost, results.data(), &count),
          describe(p));
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    for (int i = 0; i < count; ++i) {
      if (results[static_cast<std::size_t>(i)].state == CUBLAS_STATUS_SUCCESS)
        algorithms.push_back(results[static_cast<std::size_t>(i)].algo);
    }
    if (algorithms.empty()) fail(describe(p), ": cuBLASLt knows no algorithm");
    return algorithms;
  }

  static constexpr int kTrialRuns = 4;

  /// Milliseconds of some runs; empty for an algorithm that does not run after all.
  [[nodiscard]] std::optional<float> time_of(const StopWatch& watch, const Plan& plan, const Product& p,
                                             const cublasLtMatmulAlgo_t& algorithm) const {
    if (multiply(plan, p, algorithm) != CUBLAS_STATUS_SUCCESS) return {};
    watch.start();
    for (int run = 0; run < kTrialRuns; ++run) {
      if (multiply(plan, p, algorithm) != CUBLAS_STATUS_SUCCESS) return {};
    }
    return watch.milliseconds();
  }

  /// The fastest algorithm, the earlier one of those that differ little, among those that make the bits of the first one: whoever tries
  /// again, or does not try, gets the same results.
  [[nodiscard]] cublasLtMatmulAlgo_t choose(const Plan& plan, const Product& p, const Key& key) const {
    constexpr float kClearly = 0.95F;
    const auto algorithms = candidates(plan, p, key);
    if (algorithms.size() == 1 || is_captured()) return algorithms.front();
    ProductTrial trial(p, stream);
    if (!trial) return algorithms.front();
    const StopWatch watch(stream);
    auto time = time_of(watch, plan, trial.with_result(0), algorithms.front());
    std::size_t best = 0;
    for (std::size_t i = 1; i < algorithms.size() && time; ++i) {
      const auto taken = time_of(watch, plan, trial.with_result(1), algorithms[i]);
      if (!taken || *taken >= *time * kClearly || !trial.results_are_equal()) continue;
      best = i;
      time = taken;
    }
    return algorithms[best];
  }

  const Plan& plan_of(const Product& p) {
    const Key key = key_of(p);
    if (const auto found = plans.find(key); found != plans.end()) return found->second;
    Plan plan(p, allow_tf32);
    plan.algorithm = choose(plan, p, key);
    return plans.emplace(key, std::move(plan)).first->second;
  }
};

Products::Products(cudaStream_t stream, void* workspace, bool allow_tf32)
    : impl_(new Impl{.stream = stream, .workspace = workspace, .allow_tf32 = allow_tf32}) {
  check(cublasLtCreate(&impl_->handle), "start of cuBLASLt");
}

Products::~Products() {
  if (impl_ && impl_->handle != nullptr) cublasLtDestroy(impl_->handle);
}

void Products::run(const Product& p) {
  if (p.m == 0 || p.n == 0 || p.batch == 0) return;
  if (p.a_type != p.b_type) fail(describe(p), ": wanted operands of one type");
  if (p.k == 0) {
    const auto size = static_cast<std::int64_t>(size_of(p.c_type));
    for (std::int64_t i = 0; i < p.batch && p.beta == 0; ++i) {
      check(cudaMemset2DAsync(static_cast<std::byte*>(p.c) + i * p.stride_c * size, static_cast<std::size_t>(p.ldc * size), 0,
                              static_cast<std::size_t>(p.n * size), static_cast<std::size_t>(p.m), impl_->stream),
            describe(p));
    }
    return;
  }
  const std::lock_guard lock(impl_->mutex);
  const Plan& plan = impl_->plan_of(p);
  check(impl_->multiply(plan, p, plan.algorithm), describe(p));
}

}  // namespace preamble::cuda
