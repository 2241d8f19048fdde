// The static graph: leaves with a role, nodes with an op, values between them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/tensor.h"
#include "engine/graph/type.h"

namespace preamble {

class Graph;
class Op;

/// What a leaf is for. Freezing is this property and nothing else.
enum class Role : std::uint8_t {
  frozen,     ///< constant: never written, gets no gradient
  trainable,  ///< gets a gradient if the loss depends on it
  input,      ///< filled before each run
  state,      ///< outlives a run; written only by ops that say so
  derived,    ///< the output of an op
};

/// When a node runs in a training step.
enum class Phase : std::uint8_t { forward, backward, recompute };

/// One output of one node. Undefined values stand for absent optional operands.
struct Value {
  Graph* graph = nullptr;
  std::int32_t node = -1;
  std::int32_t output = 0;

  [[nodiscard]] bool defined() const noexcept { return graph != nullptr; }
  explicit operator bool() const noexcept { return defined(); }
  [[nodiscard]] const Type& type() const;
  bool operator==(const Value&) const = default;
};

struct Node {
  std::shared_ptr<const Op> op;  ///< null for a leaf
  std::vector<Value> inputs;     ///< undefined where an optional operand is absent
  std::vector<Type> outputs;
  Role role = Role::derived;
  Phase phase = Phase::forward;
  std::string name;   ///< of a leaf
  std::string scope;  ///< where in the model, as `encoder.block.3.self_attention`
  Tensor tensor;      ///< of a frozen, trainable or state leaf
};

/// Nodes stand in topological order: inputs before users.
class Graph {
 public:
  /// `real` is the type that activations are computed in: f32, bf16, or f64 for gradient checks.
  explicit Graph(Dtype real = Dtype::f32);
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() = default;

  [[nodiscard]] Dtype real() const noexcept { return real_; }
  /// Type of parameters that are trained and their gradients, of statistics and losses: that of activations, but f32 for bf16.
  [[nodiscard]] Dtype statistic() const noexcept { return real_ == Dtype::bf16 ? Dtype::f32 : real_; }
  /// May values be computed in that type? A graph of bf16 activations has values in f32 besides: what belongs to parameters.
  [[nodiscard]] bool computes_in(Dtype dtype) const noexcept { return dtype == real_ || dtype == statistic(); }

  /// Declares a row space. Names are unique; declaring the same again returns the first. Throws ShapeError if the
  /// capacities differ from the first declaration's or are not positive.
  RowSpaceId rows(std::string_view name, std::int64_t rows, std::int64_t segments);
  /// Declares a row space whose rows are some of `parent`, up to so many of them, and returns the input that says which: i32 [rows],
  /// ascending. Each row keeps its place, and a run cannot feed index and places apart (`Session::select`). Declaring the same
  /// again returns the first; throws as `rows`.
  Value subset(std::string_view name, RowSpaceId parent, std::int64_t rows);
  /// Declares a space of another graph that has the same spaces before it.
  RowSpaceId declare(const RowSpace& space);
  [[nodiscard]] const RowSpace& rows(RowSpaceId id) const { return row_spaces_.at(static_cast<std::size_t>(id)); }
  [[nodiscard]] RowSpaceId rows(std::string_view name) const;
  [[nodiscard]] std::span<const RowSpace> row_spaces() const noexcept { return row_spaces_; }

  /// Leaves. Names are unique among leaves (ConfigError). Frozen and trainable leaves share the tensor's memory.
  /// A leaf whose tensor's rows are a row space of the graph (prompts, prefixes) names it in `rows`.
  Value frozen(std::string_view name, Tensor tensor, RowSpaceId rows = kNoRows);
  Value trainable(std::string_view name, Tensor tensor, RowSpaceId rows = kNoRows);
  Value state(std::string_view name, Tensor tensor, RowSpaceId rows = kNoRows);
  Value input(std::string_view name, Type type);
  /// The leaf of that name, or an undefined value.
  [[nodiscard]] Value leaf(std::string_view name);

  /// Appends a node; its outputs are what `op` infers. Throws ShapeError or DtypeError in the name of the op.
  Value add(std::shared_ptr<const Op> op, std::vector<Value> inputs);

  /// Appends a copy of a node of this or another graph over other inputs; its types are inferred again. Scope and phase
  /// are the node's own.
  Value append(const Node& like, std::vector<Value> inputs);

  /// Marks a value as a result under a name. Throws ConfigError for a name that is taken and a value that is undefined or of another graph.
  void output(std::string_view name, Value value);
  [[nodiscard]] const std::map<std::string, Value, std::less<>>& outputs() const noexcept { return outputs_; }
  /// Throws ConfigError if there is no such output.
  [[nodiscard]] Value output(std::string_view name) const;

  [[nodiscard]] std::span<const Node> nodes() const noexcept { return nodes_; }
  [[nodiscard]] const Node& node(Value value) const { return nodes_.at(static_cast<std::size_t>(value.node)); }
  [[nodiscard]] const Node& node(std::int32_t index) const { return nodes_.at(static_cast<std::size_t>(index)); }
  [[nodiscard]] std::int32_t size() const noexcept { return static_cast<std::int32_t>(nodes_.size()); }

  /// Bytes of a value at full capacity.
  [[nodiscard]] std::int64_t bytes(const Type& type) const;
  /// Rows at capacity, 1 without a row space.
  [[nodiscard]] std::int64_t capacity(const Type& type) const;
  /// `F32 encoder[4096] x [768]`
  [[nodiscard]] std::string describe(const Type& type) const;

  /// Scope and phase that new nodes get. Scopes nest: see `Scope`.
  [[nodiscard]] const std::string& scope() const noexcept { return scope_; }
  void set_scope(std::string scope) { scope_ = std::move(scope); }
  void set_phase(Phase phase) noexcept { phase_ = phase; }

 private:
  Value leaf(std::string_view name, Role role, Type type, Tensor tensor);
  void adopt() noexcept;

  Dtype real_;
  std::vector<RowSpace> row_spaces_;
  std::vector<Node> nodes_;
  std::map<std::string, std::int32_t, std::less<>> leaves_;
  std::map<std::string, Value, std::less<>> outputs_;
  std::string scope_;
  Phase phase_ = Phase::forward;
};

/// Names a part of the model while it lives: nodes made meanwhile belong to it.
class Scope {
 public:
  Scope(Graph& graph, std::string_view name);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

 private:
  Graph& graph_;
  std::string outer_;
};

}  // namespace preamble
