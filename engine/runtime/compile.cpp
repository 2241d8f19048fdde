#include "engine/runtime/compile.h"

#include <utility>

#include "engine/compile/absorb.h"
#include "engine/compile/differentiate.h"
#include "engine/compile/fuse.h"
#include "engine/compile/join_products.h"
#include "engine/compile/keep_outputs.h"
#include "engine/compile/liveness.h"
#include "engine/compile/plan_memory.h"
#include "engine/compile/prune_rows.h"
#include "engine/compile/rewrite.h"
#include "engine/compile/schedule.h"
#include "engine/graph/op.h"

namespace preamble {
namespace {

/// Runs passes and notes what each did.
class Pipeline {
 public:
  Pipeline(Graph graph, const Backend& backend) : backend_(backend), graph_(std::move(graph)) { note("model"); }

  template <class Pass>
  void run(std::string_view name, const Pass& pass) {
    graph_ = pass(graph_);
    note(name);
  }

  [[nodiscard]] Graph take() { return std::move(graph_); }
  [[nodiscard]] Dtype real() const noexcept { return graph_.real(); }
  [[nodiscard]] std::vector<PassReport> reports() { return std::move(reports_); }

 private:
  void note(std::string_view name) {
    std::int64_t nodes = 0;
    for (const auto& node : graph_.nodes()) nodes += node.op != nullptr ? 1 : 0;
    reports_.push_back({std::string(name), nodes, flops_of(graph_), analyse_liveness(graph_, backend_).lower_bound});
  }

  const Backend& backend_;
  Graph graph_;
  std::vector<PassReport> reports_;
};

}  // namespace

std::shared_ptr<const Program> compile(Graph graph, const CompileOptions& options) {
  const Backend& backend = options.backend != nullptr ? *options.backend : default_backend();
  const CompilePolicy policy = backend.policy();
  Pipeline pipeline(std::move(graph), backend);
  if (options.prune) pipeline.run("prune_rows", [](const Graph& g) { return prune_rows(g); });
  if (options.fuse && policy.absorb_projections) pipeline.run("absorb_projections", [](const Graph& g) { return absorb_projections(g); });
  if (options.fuse) pipeline.run("fuse_forward", [](const Graph& g) { return fuse_forward(g); });
  if (options.fuse && policy.join_products) pipeline.run("join_products", [&](const Graph& g) { return join_products(g, backend); });
  if (!options.loss.empty()) {
    pipeline.run("differentiate", [&](const Graph& g) {
      Graph differentiated = eliminate_dead(g);
      differentiate(differentiated, options.loss, options.accumulate);
      return eliminate_dead(differentiated);
    });
    if (options.prune) pipeline.run("prune_rows", [](const Graph& g) { return prune_rows(g); });
    if (options.fuse && policy.keep_attention_outputs) {
      pipeline.run("keep_attention_outputs", [](const Graph& g) { return keep_attention_outputs(g); });
    }
    pipeline.run("rematerialise", [&](const Graph& g) { return rematerialise(g, options.memory, backend); });
  }
  if (options.fuse) pipeline.run("fuse_sums", [](const Graph& g) { return fuse_sums(g); });
  // chunks of the wide value are made in float32: with activations in bf16 whole products are faster
  if (options.fuse && policy.fuse_feed_forward && pipeline.real() != Dtype::bf16) pipeline.run("fuse_feed_forward", [](const Graph& g) { return fuse_feed_forward(g); });
  if (options.fuse && policy.fuse_slopes) pipeline.run("fuse_slopes", [](const Graph& g) { return fuse_slopes(g); });
  pipeline.run("schedule", [](const Graph& g) { return schedule(g); });
  return std::make_shared<const Program>(pipeline.take(), backend, pipeline.reports());
}

}  // namespace preamble
