#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "data/tokenizers/regex/regex_set_parser.h"
#include "data/tokenizers/regex/regex_tree.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Op = RegexStep::Op;

constexpr std::size_t kDeepest = 200;
constexpr std::size_t kMostRepeats = 1000;

/// Options that `(?i)` and the like set.
struct Options {
  bool ignore_case = false;
  bool dot_matches_line_feed = false;
};

class RegexParser {
 public:
  RegexParser(std::string_view expression, std::string_view origin) : in_(expression, origin) {}

  [[nodiscard]] RegexNode parse() {
    RegexNode root = alternatives({});
    if (!in_.at_end()) in_.fail("a ')' that closes nothing");
    return root;
  }

 private:
  [[nodiscard]] RegexNode alternatives(Options options) {
    if (++depth_ > kDeepest) in_.fail("groups nested more than 200 deep");
    std::vector<RegexNode> branches(1);
    while (!in_.at_end() && in_.peek() != U')') {
      if (in_.take(U'|')) {
        branches.emplace_back();
      } else if (const auto changed = option_setting(options)) {
        // the options hold for the rest of the group, other alternatives included
        branches.back().children.push_back(alternatives(*changed));
      } else {
        branches.back().children.push_back(repeated(options));
      }
    }
    --depth_;
    if (branches.size() == 1) return std::move(branches.front());
    return {.kind = RegexNode::Kind::alternatives, .children = std::move(branches)};
  }

  /// `(?i)` without a colon; leaves the place as it was for anything else.
  [[nodiscard]] std::optional<Options> option_setting(const Options& options) {
    const std::size_t before = in_.position();
    if (in_.take(U"(?")) {
      if (const auto changed = option_letters(options); changed && in_.take(U')')) return changed;
    }
    in_.seek(before);
    return std::nullopt;
  }

  /// The letters behind `(?`; absent if there is none.
  [[nodiscard]] std::optional<Options> option_letters(Options options) {
    bool value = true, any = false;
    for (;; any = true) {
      if (in_.take(U'i')) {
        options.ignore_case = value;
      } else if (in_.take(U'm')) {
        options.dot_matches_line_feed = value;
      } else if (value && in_.take(U'-')) {
        value = false;
      } else {
        return any ? std::optional(options) : std::nullopt;
      }
    }
  }

  [[nodiscard]] RegexNode repeated(Options options) {
    if (in_.next_is(U"*+?")) in_.fail("a repetition of nothing");
    RegexNode node = atom(options);
    for (;;) {
      const std::size_t before = in_.position();
      std::size_t least = 0, most = kEndless;
      bool counted = false;
      if (in_.take(U'?')) {
        most = 1;
      } else if (in_.take(U'+')) {
        least = 1;
      } else if (!in_.take(U'*')) {
        if (!in_.take(U'{') || !counts(least, most)) {
          in_.seek(before);
          return node;
        }
        counted = true;
      }
      // `{n}?` repeats a repetition, and `{n,m}+` does; the other forms say how they give back
      Greed greed = Greed::greedy;
      if (!(counted && least == most) && in_.take(U'?')) {
        greed = Greed::lazy;
      } else if (!counted && in_.take(U'+')) {
        greed = Greed::possessive;
      }
      RegexNode repetition{.kind = RegexNode::Kind::repetition, .least = least, .most = most, .greed = greed};
      repetition.children.push_back(std::move(node));
      node = std::move(repetition);
    }
  }

  /// `n}`, `n,}`, `,m}` or `n,m}`; false for a brace that is an ordinary character.
  [[nodiscard]] bool counts(std::size_t& least, std::size_t& most) {
    const auto low = in_.number();
    if (in_.take(U',')) {
      const auto high = in_.number();
      if (!low && !high) return false;
      least = low.value_or(0);
      most = high.value_or(kEndless);
    } else {
      if (!low) return false;
      least = most = *low;
    }
    if (!in_.take(U'}')) return false;
    if (least > kMostRepeats || (most != kEndless && (most > kMostRepeats || most < least))) in_.fail("a repetition count out of range");
    return true;
  }

  [[nodiscard]] RegexNode atom(Options options) {
    if (in_.take(U'(')) return group(options);
    if (in_.take(U'[')) return set(parse_regex_set(in_, options.ignore_case), {});
    if (in_.take(U'.')) {
      CharSet any;
      if (!options.dot_matches_line_feed) any.add(U'\n', U'\n');
      any.invert();
      return set(std::move(any), {});
    }
    if (in_.take(U'^')) return assertion(Op::line_begin);
    if (in_.take(U'$')) return assertion(Op::line_end);
    if (in_.take(U'\\')) return escape(options);
    return literal(in_.next(), options);
  }

  [[nodiscard]] RegexNode escape(Options options) {
    constexpr std::array<std::pair<char32_t, Op>, 5> kAssertions = {{{U'A', Op::text_begin},
                                                                     {U'z', Op::text_end},
                                                                     {U'Z', Op::last_line_end},
                                                                     {U'b', Op::word_boundary},
                                                                     {U'B', Op::no_word_boundary}}};
    for (const auto& [letter, op] : kAssertions) {
      if (in_.take(letter)) return assertion(op);
    }
    if (in_.take(U'R')) return parse_regex(R"((?>\r\n|[\n-\r\x{85}\x{2028}\x{2029}]))", in_.origin());
    // outside of sets a class keeps its case
    if (auto members = parse_regex_class_escape(in_, false)) return set(std::move(*members), {});
    return literal(parse_regex_char_escape(in_), options);
  }

  [[nodiscard]] RegexNode group(Options options) {
    RegexNode node;
    if (!in_.take(U'?')) {
      node = alternatives(options);
    } else if (in_.take(U'#')) {
      while (!in_.at_end() && in_.peek() != U')') static_cast<void>(in_.next());
    } else if (in_.take(U':')) {
      node = alternatives(options);
    } else if (in_.take(U'=')) {
      node = around(RegexNode::Kind::look, Op::look_ahead, options);
    } else if (in_.take(U'!')) {
      node = around(RegexNode::Kind::look, Op::look_ahead_not, options);
    } else if (in_.take(U"<=")) {
      node = around(RegexNode::Kind::look, Op::look_behind, options);
    } else if (in_.take(U"<!")) {
      node = around(RegexNode::Kind::look, Op::look_behind_not, options);
    } else if (in_.take(U'>')) {
      node = around(RegexNode::Kind::atomic, Op::atomic, options);
    } else if (in_.take(U'<')) {
      while (!in_.at_end() && !in_.take(U'>')) static_cast<void>(in_.next());
      node = alternatives(options);
    } else if (const auto changed = option_letters(options); changed && in_.take(U':')) {
      node = alternatives(*changed);
    } else {
      in_.refuse("this kind of group");
    }
    if (!in_.take(U')')) in_.fail("a group without its ')'");
    return node;
  }

  [[nodiscard]] RegexNode around(RegexNode::Kind kind, Op op, Options options) {
    RegexNode node{.kind = kind, .assertion = op};
    node.children.push_back(alternatives(options));
    return node;
  }

  [[nodiscard]] static RegexNode assertion(Op op) { return {.kind = RegexNode::Kind::assertion, .assertion = op}; }

  [[nodiscard]] static RegexNode set(CharSet members, Options options) {
    if (options.ignore_case) members.ignore_case();
    members.finish();
    return {.kind = RegexNode::Kind::set, .set = std::move(members)};
  }

  [[nodiscard]] static RegexNode literal(char32_t c, Options options) {
    if (options.ignore_case && !equal_but_for_case(c).empty()) {
      CharSet both;
      both.add(c, c);
      return set(std::move(both), options);
    }
    return {.kind = RegexNode::Kind::character, .c = c};
  }

  RegexReader in_;
  std::size_t depth_ = 0;
};

}  // namespace

RegexNode parse_regex(std::string_view expression, std::string_view origin) { return RegexParser(expression, origin).parse(); }

}  // namespace preamble
