#include "data/tokenizers/regex/regex.h"

#include <optional>

#include "data/text_file.h"
#include "data/tokenizers/regex/regex_program.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Op = RegexStep::Op;

constexpr std::size_t kMostMatchSteps = 10'000'000;
constexpr std::size_t kUnset = kEndless;

/// Tries a program at places of a text, with a stack of the choices that are left.
class RegexMatcher {
 public:
  RegexMatcher(const RegexProgram& program, std::string_view text, const std::string& expression)
      : program_(program), text_(text), expression_(expression), marks_(program.marks, kUnset) {}

  /// End of the match that begins at `place`.
  [[nodiscard]] std::optional<std::size_t> match_at(std::size_t place) {
    taken_ = 0;
    return run(0, place, kUnset);
  }

 private:
  struct Choice {
    enum class Kind : std::uint8_t { jump, shrink, grow, mark } kind;
    std::size_t step;   ///< where to go on; for `mark` its number
    std::size_t place;  ///< of the text; for `mark` what it was
    std::size_t limit;  ///< shrink: the smallest place; grow: how many more characters may be taken
  };

  /// Runs from `step` until `match`. With `end` only a match that ends there counts.
  [[nodiscard]] std::optional<std::size_t> run(std::size_t step, std::size_t place, std::size_t end) {
    const std::size_t base = choices_.size();
    for (bool alive = true; alive || back(base, step, place);) {
      require<Error>(++taken_ <= kMostMatchSteps, "regular expression '{}': more than {} steps for one match; wanted a simpler expression",
                     expression_, kMostMatchSteps);
      if (program_.steps[step].op != Op::match) {
        alive = take(step, place);
      } else if (end != kUnset && end != place) {
        alive = false;
      } else {
        choices_.resize(base);
        return place;
      }
    }
    return std::nullopt;
  }

  /// Goes back to the last choice; false if there is none.
  [[nodiscard]] bool back(std::size_t base, std::size_t& step, std::size_t& place) {
    while (choices_.size() > base) {
      Choice& choice = choices_.back();
      switch (choice.kind) {
        case Choice::Kind::mark:
          marks_[choice.step] = choice.place;
          choices_.pop_back();
          continue;
        case Choice::Kind::jump:
          step = choice.step;
          place = choice.place;
          choices_.pop_back();
          return true;
        case Choice::Kind::shrink:
          step = choice.step;
          choice.place = before(choice.place);
          place = choice.place;
          if (place <= choice.limit) choices_.pop_back();
          return true;
        case Choice::Kind::grow: {
          const std::size_t from = choice.place;
          const RegexStep& repetition = program_.steps[choice.step - 1];
          if (from >= text_.size() || choice.limit == 0 || !in_set(repetition.a, from)) {
            choices_.pop_back();
            continue;
          }
          step = choice.step;
          choice.place = place = after(from);
          if (choice.limit != kEndless) --choice.limit;
          return true;
        }
      }
    }
    return false;
  }

  /// One instruction; false if it fails.
  [[nodiscard]] bool take(std::size_t& step, std::size_t& place) {
    const RegexStep& now = program_.steps[step];
    switch (now.op) {
      case Op::character: {
        if (place >= text_.size()) return false;
        const DecodedChar c = decode_char(text_, place);
        if (c.code != now.c) return false;
        place += c.bytes;
        break;
      }
      case Op::set:
        if (place >= text_.size() || !in_set(now.a, place)) return false;
        place = after(place);
        break;
      case Op::repeat_set: return repeat(now, step, place);
      case Op::jump: step = now.a; return true;
      case Op::fork:
        choices_.push_back({Choice::Kind::jump, now.b, place, 0});
        step = now.a;
        return true;
      case Op::mark:
        choices_.push_back({Choice::Kind::mark, now.a, marks_[now.a], 0});
        marks_[now.a] = place;
        break;
      case Op::advanced:
        if (marks_[now.a] == place) {
          step = now.b;
          return true;
        }
        break;
      case Op::text_begin:
        if (place != 0) return false;
        break;
      case Op::text_end:
        if (place != text_.size()) return false;
        break;
      case Op::last_line_end:
        if (place != text_.size() && !(place + 1 == text_.size() && text_[place] == '\n')) return false;
        break;
      case Op::line_begin:
        if (place != 0 && (text_[place - 1] != '\n' || place == text_.size())) return false;
        break;
      case Op::line_end:
        if (place != text_.size() && text_[place] != '\n') return false;
        break;
      case Op::word_boundary:
        if (!at_word_boundary(place)) return false;
        break;
      case Op::no_word_boundary:
        if (at_word_boundary(place)) return false;
        break;
      case Op::look_ahead:
      case Op::look_ahead_not:
        if (run(step + 1, place, kUnset).has_value() != (now.op == Op::look_ahead)) return false;
        step = now.a;
        return true;
      case Op::look_behind:
      case Op::look_behind_not:
        if (looks_behind(now, step + 1, place) != (now.op == Op::look_behind)) return false;
        step = now.a;
        return true;
      case Op::atomic: {
        const auto end = run(step + 1, place, kUnset);
        if (!end) return false;
        place = *end;
        step = now.a;
        return true;
      }
      case Op::match: return true;
    }
    ++step;
    return true;
  }

  [[nodiscard]] bool repeat(const RegexStep& now, std::size_t& step, std::size_t& place) {
    std::size_t count = 0, smallest = place;
    const std::size_t wanted = now.greed == Greed::lazy ? now.least : now.most;
    while (count < wanted && place < text_.size() && in_set(now.a, place)) {
      place = after(place);
      if (++count == now.least) smallest = place;
    }
    taken_ += count;
    if (count < now.least) return false;
    ++step;
    if (now.greed == Greed::greedy && place > smallest) choices_.push_back({Choice::Kind::shrink, step, place, smallest});
    if (now.greed == Greed::lazy && now.most > now.least) {
      choices_.push_back({Choice::Kind::grow, step, place, now.most == kEndless ? kEndless : now.most - now.least});
    }
    return true;
  }

  [[nodiscard]] bool looks_behind(const RegexStep& now, std::size_t part, std::size_t place) {
    std::size_t begin = place;
    for (std::size_t count = 0; count <= now.most; ++count) {
      if (count >= now.least && run(part, begin, place)) return true;
      if (begin == 0) return false;
      begin = before(begin);
    }
    return false;
  }

  [[nodiscard]] bool in_set(std::size_t set, std::size_t place) const { return program_.sets[set].contains(decode_char(text_, place).code); }
  [[nodiscard]] std::size_t after(std::size_t place) const { return place + decode_char(text_, place).bytes; }
  [[nodiscard]] std::size_t before(std::size_t place) const { return char_start(text_, place - 1); }

  [[nodiscard]] bool at_word_boundary(std::size_t place) const {
    const bool left = place > 0 && program_.word.contains(decode_char(text_, before(place)).code);
    const bool right = place < text_.size() && program_.word.contains(decode_char(text_, place).code);
    return left != right;
  }

  const RegexProgram& program_;
  std::string_view text_;
  const std::string& expression_;
  std::vector<std::size_t> marks_;
  std::vector<Choice> choices_;
  std::size_t taken_ = 0;
};

}  // namespace

Regex::Regex(std::string_view expression, std::string_view origin)
    : expression_(expression), program_(std::make_shared<const RegexProgram>(compile_regex(expression, origin))) {}

std::vector<ByteRange> Regex::matches(std::string_view text) const {
  std::vector<ByteRange> found;
  if (text.empty()) return found;
  RegexMatcher matcher(*program_, text, expression_);
  for (std::size_t place = 0; place <= text.size();) {
    const auto end = matcher.match_at(place);
    if (end && !(*end == place && !found.empty() && found.back().end == place)) {
      found.push_back({place, *end});
      if (*end > place) {
        place = *end;
        continue;
      }
    }
    if (place == text.size()) break;
    place += decode_char(text, place).bytes;
  }
  return found;
}

}  // namespace preamble
