#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "data/tokenizers/regex/regex_tree.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Op = RegexStep::Op;

constexpr std::size_t kMostInstructions = 50'000;
constexpr std::size_t kLongestLookBehind = 255;

/// Characters that a node matches at least and at most.
struct NodeLengths {
  std::size_t least = 0, most = 0;
};

[[nodiscard]] std::size_t times(std::size_t a, std::size_t b) { return a == 0 || b == 0 ? 0 : a == kEndless || b == kEndless ? kEndless : a * b; }
[[nodiscard]] std::size_t plus(std::size_t a, std::size_t b) { return a == kEndless || b == kEndless ? kEndless : a + b; }

[[nodiscard]] NodeLengths lengths_of_node(const RegexNode& node) {
  switch (node.kind) {
    case RegexNode::Kind::character:
    case RegexNode::Kind::set: return {1, 1};
    case RegexNode::Kind::assertion:
    case RegexNode::Kind::look: return {0, 0};
    case RegexNode::Kind::atomic: return lengths_of_node(node.children.front());
    case RegexNode::Kind::repetition: {
      const NodeLengths one = lengths_of_node(node.children.front());
      return {times(one.least, node.least), times(one.most, node.most)};
    }
    case RegexNode::Kind::sequence: {
      NodeLengths sum;
      for (const RegexNode& child : node.children) {
        const NodeLengths part = lengths_of_node(child);
        sum = {plus(sum.least, part.least), plus(sum.most, part.most)};
      }
      return sum;
    }
    case RegexNode::Kind::alternatives: break;
  }
  NodeLengths any = {kEndless, 0};
  for (const RegexNode& child : node.children) {
    const NodeLengths part = lengths_of_node(child);
    any = {std::min(any.least, part.least), std::max(any.most, part.most)};
  }
  return any;
}

class RegexCompiler {
 public:
  explicit RegexCompiler(std::string where) : where_(std::move(where)) {}

  [[nodiscard]] RegexProgram compile(const RegexNode& root) {
    emit(root);
    add({.op = Op::match});
    program_.word = CharSet::of_class(CharClass::regex_word);
    program_.word.finish();
    return std::move(program_);
  }

 private:
  std::size_t add(RegexStep step) {
    require<UnsupportedError>(program_.steps.size() < kMostInstructions, "{}: more than {} instructions; wanted a smaller one", where_, kMostInstructions);
    program_.steps.push_back(step);
    return program_.steps.size() - 1;
  }

  [[nodiscard]] std::size_t here() const noexcept { return program_.steps.size(); }
  [[nodiscard]] RegexStep& at(std::size_t index) { return program_.steps[index]; }

  void emit(const RegexNode& node) {
    switch (node.kind) {
      case RegexNode::Kind::sequence:
        for (const RegexNode& child : node.children) emit(child);
        return;
      case RegexNode::Kind::alternatives: return emit_alternatives(node);
      case RegexNode::Kind::character: add({.op = Op::character, .c = node.c}); return;
      case RegexNode::Kind::set: add({.op = Op::set, .a = set_index(node.set)}); return;
      case RegexNode::Kind::repetition: return emit_repetition(node);
      case RegexNode::Kind::assertion: add({.op = node.assertion}); return;
      case RegexNode::Kind::look: return emit_part(node.assertion, node.children.front());
      case RegexNode::Kind::atomic: return emit_part(Op::atomic, node.children.front());
    }
  }

  [[nodiscard]] std::size_t set_index(const CharSet& set) {
    program_.sets.push_back(set);
    return program_.sets.size() - 1;
  }

  void emit_alternatives(const RegexNode& node) {
    std::vector<std::size_t> jumps;
    for (std::size_t i = 0; i + 1 < node.children.size(); ++i) {
      const std::size_t fork = add({.op = Op::fork, .a = here() + 1});
      emit(node.children[i]);
      jumps.push_back(add({.op = Op::jump}));
      at(fork).b = here();
    }
    emit(node.children.back());
    for (const std::size_t jump : jumps) at(jump).a = here();
  }

  /// A part that is run by itself; the instruction in front of it says where the program goes on.
  void emit_part(Op op, const RegexNode& part) {
    const std::size_t begin = add({.op = op});
    if (op == Op::look_behind || op == Op::look_behind_not) {
      const NodeLengths lengths = lengths_of_node(part);
      require<UnsupportedError>(lengths.most <= kLongestLookBehind, "{}: a look-behind without a limit; wanted at most {} characters", where_,
                                kLongestLookBehind);
      at(begin).least = lengths.least;
      at(begin).most = lengths.most;
    }
    emit(part);
    add({.op = Op::match});
    at(begin).a = here();
  }

  void emit_repetition(const RegexNode& node) {
    const RegexNode& child = node.children.front();
    const bool one_char = child.kind == RegexNode::Kind::set || child.kind == RegexNode::Kind::character;
    if (one_char) {
      CharSet set = child.set;
      if (child.kind == RegexNode::Kind::character) {
        set.add(child.c, child.c);
        set.finish();
      }
      add({.op = Op::repeat_set, .greed = node.greed, .a = set_index(set), .least = node.least, .most = node.most});
      return;
    }
    if (node.greed == Greed::possessive) {
      RegexNode greedy = node;
      greedy.greed = Greed::greedy;
      return emit_part(Op::atomic, greedy);
    }
    for (std::size_t i = 0; i < node.least; ++i) emit(child);
    if (node.most == kEndless) return emit_loop(node);
    std::vector<std::size_t> forks;
    for (std::size_t i = node.least; i < node.most; ++i) {
      forks.push_back(add({.op = Op::fork}));
      emit(child);
    }
    for (const std::size_t fork : forks) set_fork(fork, fork + 1, here(), node.greed);
  }

  void emit_loop(const RegexNode& node) {
    const RegexNode& child = node.children.front();
    const bool may_be_empty = lengths_of_node(child).least == 0;
    const std::size_t fork = add({.op = Op::fork});
    const std::size_t mark = may_be_empty ? program_.marks++ : 0;
    if (may_be_empty) add({.op = Op::mark, .a = mark});
    emit(child);
    const std::size_t check = may_be_empty ? add({.op = Op::advanced, .a = mark}) : here();
    add({.op = Op::jump, .a = fork});
    if (may_be_empty) at(check).b = here();
    set_fork(fork, fork + 1, here(), node.greed);
  }

  void set_fork(std::size_t fork, std::size_t into, std::size_t past, Greed greed) {
    at(fork).a = greed == Greed::lazy ? past : into;
    at(fork).b = greed == Greed::lazy ? into : past;
  }

  std::string where_;
  RegexProgram program_;
};

}  // namespace

RegexProgram compile_regex(std::string_view expression, std::string_view origin) {
  return RegexCompiler(std::string(origin) + ": regular expression '" + std::string(expression) + "'").compile(parse_regex(expression, origin));
}

}  // namespace preamble
