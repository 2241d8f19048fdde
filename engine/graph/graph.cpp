#include "engine/graph/graph.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/stored_matrix.h"
#include "engine/graph/op.h"

namespace preamble {

const Type& Value::type() const { return graph->node(*this).outputs.at(static_cast<std::size_t>(output)); }

Graph::Graph(Dtype real) : real_(real) {
  require<DtypeError>(real == Dtype::f32 || real == Dtype::bf16 || real == Dtype::f64,
                      "graph: {} was given as the type of activations; wanted F32, BF16 or F64",
                      name_of(real));
}

Graph::Graph(Graph&& other) noexcept : real_(other.real_) { *this = std::move(other); }

Graph& Graph::operator=(Graph&& other) noexcept {
  real_ = other.real_;
  row_spaces_ = std::move(other.row_spaces_);
  nodes_ = std::move(other.nodes_);
  leaves_ = std::move(other.leaves_);
  outputs_ = std::move(other.outputs_);
  scope_ = std::move(other.scope_);
  phase_ = other.phase_;
  adopt();
  return *this;
}

void Graph::adopt() noexcept {
  for (auto& node : nodes_) {
    for (auto& input : node.inputs) {
      if (input) input.graph = this;
    }
  }
  for (auto& [name, value] : outputs_) value.graph = this;
}

RowSpaceId Graph::rows(std::string_view name, std::int64_t rows, std::int64_t segments) {
  return declare({std::string(name), rows, segments, kNoRows});
}

Value Graph::subset(std::string_view name, RowSpaceId parent, std::int64_t rows) {
  const RowSpaceId id = declare({std::string(name), rows, this->rows(parent).segments, parent});
  const std::string index = this->rows(id).index();
  const Value known = leaf(index);
  return known ? known : input(index, {Dtype::i32, id, {}});
}

RowSpaceId Graph::declare(const RowSpace& space) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  require<ShapeError>(space.rows > 0 && space.segments > 0 && space.rows <= kMost && space.segments < kMost,
                      "row space '{}': capacities of {} rows and {} segments were given; wanted positive ones below 2^31", space.name, space.rows,
                      space.segments);
  const RowSpaceId known = rows(space.name);
  if (known == kNoRows) {
    row_spaces_.push_back(space);
    return static_cast<RowSpaceId>(row_spaces_.size()) - 1;
  }
  const RowSpace& first = rows(known);
  const auto of = [&](const RowSpace& s) { return s.is_subset() ? fmt::format(" of '{}'", rows(s.parent).name) : std::string(); };
  require<ShapeError>(first == space, "row space '{}': declared with {} rows{} and {} segments; it has {}{} and {}", space.name, space.rows,
                      of(space), space.segments, first.rows, of(first), first.segments);
  return known;
}

RowSpaceId Graph::rows(std::string_view name) const {
  const auto found = std::ranges::find(row_spaces_, name, &RowSpace::name);
  return found == row_spaces_.end() ? kNoRows : static_cast<RowSpaceId>(found - row_spaces_.begin());
}

Value Graph::frozen(std::string_view name, Tensor tensor, RowSpaceId rows) {
  Type type{tensor.dtype(), rows, tensor.dims()};
  return leaf(name, Role::frozen, std::move(type), std::move(tensor));
}

Value Graph::trainable(std::string_view name, Tensor tensor, RowSpaceId rows) {
  require<DtypeError>(computes_in(tensor.dtype()), "trainable '{}': {} was given; wanted {}", name, name_of(tensor.dtype()), name_of(statistic()));
  require<Error>(tensor.writable(), "trainable '{}': its memory is read-only", name);
  Type type{tensor.dtype(), rows, tensor.dims()};
  return leaf(name, Role::trainable, std::move(type), std::move(tensor));
}

Value Graph::state(std::string_view name, Tensor tensor, RowSpaceId rows) {
  require<Error>(tensor.writable(), "state '{}': its memory is read-only", name);
  Type type{tensor.dtype(), rows, tensor.dims()};
  return leaf(name, Role::state, std::move(type), std::move(tensor));
}

Value Graph::input(std::string_view name, Type type) { return leaf(name, Role::input, std::move(type), {}); }

Value Graph::leaf(std::string_view name) {
  const auto found = leaves_.find(name);
  return found == leaves_.end() ? Value{} : Value{this, found->second, 0};
}

Value Graph::leaf(std::string_view name, Role role, Type type, Tensor tensor) {
  require<ConfigError>(leaves_.emplace(name, size()).second, "leaf '{}': declared twice", name);
  if (type.has_rows() && role != Role::input) {
    // the tensor's leading axis is the row axis
    require<ShapeError>(!type.dims.empty() && type.dims[0] == rows(type.rows).rows, "leaf '{}': {} was given; wanted {} rows (row space '{}')", name,
                        to_string(type.dims), rows(type.rows).rows, rows(type.rows).name);
    type.dims.erase(type.dims.begin());
  }
  Node node;
  node.outputs.push_back(std::move(type));
  node.role = role;
  node.name = std::string(name);
  node.scope = scope_;
  node.tensor = std::move(tensor);
  nodes_.push_back(std::move(node));
  return {this, size() - 1, 0};
}

Value Graph::add(std::shared_ptr<const Op> op, std::vector<Value> inputs) {
  std::vector<const Type*> types;
  for (const auto& input : inputs) {
    require<Error>(!input || input.graph == this, "{}: an operand belongs to another graph", op->name());
    types.push_back(input ? &input.type() : nullptr);
  }
  Node node;
  node.outputs = op->infer({*this, types});
  node.op = std::move(op);
  node.inputs = std::move(inputs);
  node.phase = phase_;
  node.scope = scope_;
  nodes_.push_back(std::move(node));
  return {this, size() - 1, 0};
}

Value Graph::append(const Node& like, std::vector<Value> inputs) {
  if (like.op) {
    const Value value = add(like.op, std::move(inputs));
    nodes_.back().scope = like.scope;
    nodes_.back().phase = like.phase;
    return value;
  }
  require<ConfigError>(leaves_.emplace(like.name, size()).second, "leaf '{}': declared twice", like.name);
  nodes_.push_back(like);
  return {this, size() - 1, 0};
}

void Graph::output(std::string_view name, Value value) {
  require<ConfigError>(value.defined() && value.graph == this, "output '{}': {} was given; wanted a value of this graph", name,
                       value.defined() ? "a value of another graph" : "an undefined value");
  require<ConfigError>(outputs_.emplace(name, value).second, "output '{}': declared twice", name);
}

Value Graph::output(std::string_view name) const {
  const auto found = outputs_.find(name);
  require<ConfigError>(found != outputs_.end(), "output '{}': the graph has none of that name", name);
  return found->second;
}

std::int64_t Graph::capacity(const Type& type) const { return type.has_rows() ? rows(type.rows).rows : 1; }

std::int64_t Graph::bytes(const Type& type) const {
  return capacity(type) * bytes_of(type.dtype, type.dims);
}

std::string Graph::describe(const Type& type) const {
  if (!type.has_rows()) return fmt::format("{} {}", name_of(type.dtype), to_string(type.dims));
  const RowSpace& space = rows(type.rows);
  return fmt::format("{} {}[{}] x {}", name_of(type.dtype), space.name, space.rows, to_string(type.dims));
}

Scope::Scope(Graph& graph, std::string_view name) : graph_(graph), outer_(graph.scope()) {
  graph_.set_scope(outer_.empty() ? std::string(name) : fmt::format("{}.{}", outer_, name));
}

Scope::~Scope() { graph_.set_scope(std::move(outer_)); }

}  // namespace preamble
