#include "data/corpus/objective.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "data/corpus/span_noise.h"
#include "data/corpus/text_infilling.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::array<std::pair<std::string_view, ObjectiveKind>, 5> kObjectives = {{{"prefix-lm", ObjectiveKind::prefix_lm},
                                                                                    {"span-corruption", ObjectiveKind::span_corruption},
                                                                                    {"causal-lm", ObjectiveKind::causal_lm},
                                                                                    {"masked-lm", ObjectiveKind::masked_lm},
                                                                                    {"denoising", ObjectiveKind::denoising}}};

double chosen(double given, double otherwise) { return given > 0 ? given : otherwise; }
double chosen_rate(double given, double otherwise) { return given >= 0 ? given : otherwise; }

/// What stands around a text; an end token is there in any case.
TextFrame frame_of(const Tokenizer& tokenizer) {
  TextFrame frame = tokenizer.frame();
  if (frame.end.empty()) {
    require<ConfigError>(tokenizer.special().end.has_value(), "text: the tokenizer has no token that ends a text; wanted one");
    frame.end = {*tokenizer.special().end};
  }
  return frame;
}

/// `begin`, the tokens, `end`, cut to `most`.
Ids framed(const TextFrame& frame, std::span<const std::int32_t> tokens, std::int64_t most) {
  Ids ids = frame.begin;
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  ids.insert(ids.end(), frame.end.begin(), frame.end.end());
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(most)));
  return ids;
}

std::int64_t special_count(const TextFrame& frame) { return std::ssize(frame.begin) + std::ssize(frame.end); }

/// Tokens left of a length beside special ones.
std::int64_t room(std::int64_t length, std::int64_t special) {
  require<ConfigError>(length - special >= 2, "text: {} tokens with {} special ones were asked for; wanted room for 2 others", length, special);
  return length - special;
}

/// Ids that a random token is drawn from.
Ids words_of(const Tokenizer& tokenizer) {
  Ids words;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(tokenizer.size()); ++id) {
    if (!tokenizer.is_special(id) && tokenizer.id_to_token(id)) words.push_back(id);
  }
  return words;
}

std::int32_t mask_of(const Tokenizer& tokenizer, ObjectiveKind kind) {
  require<ConfigError>(tokenizer.special().mask.has_value(), "{}: the tokenizer has no mask token; wanted one", name_of(kind));
  return *tokenizer.special().mask;
}

class PrefixLm final : public Objective {
 public:
  PrefixLm(const ObjectiveOptions& o, const Tokenizer& tokenizer, bool joint)
      : joint_(joint), frame_(joint ? TextFrame{} : frame_of(tokenizer)) {
    source_ = o.max_source_length > 0 ? o.max_source_length : 1024;
    target_ = joint ? source_ : o.max_target_length > 0 ? o.max_target_length : 256;
    window_ = room(source_, special_count(frame_));
  }

  [[nodiscard]] std::int64_t window() const noexcept override { return window_; }
  [[nodiscard]] Example make(const Ids& window, Random& random) const override {
    const std::int64_t prefix = random_prefix_length(std::ssize(window), random);
    const std::span<const std::int32_t> tokens(window);
    Example example;
    example.source = framed(frame_, tokens.first(static_cast<std::size_t>(prefix)), source_);
    example.target = framed(frame_, tokens.subspan(static_cast<std::size_t>(prefix)), target_);
    return example;
  }
  [[nodiscard]] Example largest() const override {
    // one sequence of a decoder holds both
    if (joint_) return {.source = Ids(1), .target = Ids(static_cast<std::size_t>(window_ - 1))};
    const std::int64_t most = window_ - 1 + special_count(frame_);
    return {.source = Ids(static_cast<std::size_t>(most)), .target = Ids(static_cast<std::size_t>(std::min(most, target_)))};
  }
  [[nodiscard]] std::string describe() const override { return fmt::format("prefix-lm, {} and {} tokens at most", source_, target_); }

 private:
  bool joint_;
  TextFrame frame_;
  std::int64_t source_ = 0, target_ = 0, window_ = 0;
};

class SpanCorruption final : public Objective {
 public:
  SpanCorruption(const ObjectiveOptions& o, const Tokenizer& tokenizer)
      : noise_{chosen(o.noise_density, 0.15), chosen(o.mean_span_length, 3)}, frame_(frame_of(tokenizer)) {
    frame_.begin.clear();  // T5 has none
    require<ConfigError>(frame_.end.size() == 1, "span-corruption: the tokenizer puts {} tokens behind a text; wanted one", frame_.end.size());
    largest_ = largest_window(o.max_source_length > 0 ? o.max_source_length : 512, noise_);
    for (std::int64_t i = 0; i < largest_.spans; ++i) {
      const std::string name = fmt::format("<extra_id_{}>", i);
      const auto id = tokenizer.token_to_id(name);
      require<ConfigError>(id.has_value(), "span-corruption: windows of {} tokens have {} spans; the tokenizer has no '{}'", largest_.tokens,
                           largest_.spans, name);
      sentinels_.push_back(*id);
    }
  }

  [[nodiscard]] std::int64_t window() const noexcept override { return largest_.tokens; }
  [[nodiscard]] Example make(const Ids& window, Random& random) const override {
    const SpanCounts counts = span_counts(std::ssize(window), noise_);
    const std::vector<bool> mask = random_spans_noise_mask(counts, random);
    return {.source = framed(frame_, with_sentinels(window, mask, true, sentinels_), counts.inputs()),
            .target = framed(frame_, with_sentinels(window, mask, false, sentinels_), counts.targets())};
  }
  [[nodiscard]] Example largest() const override {
    // rounding may give a shorter window one token more
    const auto length = [](std::int64_t tokens) { return static_cast<std::size_t>(tokens + 1); };
    return {.source = Ids(length(largest_.inputs())), .target = Ids(length(largest_.targets()))};
  }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("span-corruption, {} tokens with {} noise tokens in {} spans (density {}, mean length {})", largest_.tokens, largest_.noise,
                       largest_.spans, noise_.density, noise_.mean_length);
  }

 private:
  SpanNoise noise_;
  TextFrame frame_;
  SpanCounts largest_;
  Ids sentinels_;
};

class WholeText final : public Objective {
 public:
  explicit WholeText(const ObjectiveOptions& o) : window_(room(o.max_source_length > 0 ? o.max_source_length : 512, 0)) {}

  [[nodiscard]] std::int64_t window() const noexcept override { return window_; }
  [[nodiscard]] Example make(const Ids& window, Random&) const override { return {.target = window}; }
  [[nodiscard]] Example largest() const override { return {.target = Ids(static_cast<std::size_t>(window_))}; }
  [[nodiscard]] std::string describe() const override { return fmt::format("causal-lm, {} tokens", window_); }

 private:
  std::int64_t window_;
};

class MaskedLm final : public Objective {
 public:
  MaskedLm(const ObjectiveOptions& o, const Tokenizer& tokenizer)
      : density_(chosen(o.noise_density, 0.15)),
        random_rate_(chosen_rate(o.random_rate, 0.1)),
        keep_rate_(chosen_rate(o.keep_rate, 0.1)),
        frame_(tokenizer.frame()),
        words_(words_of(tokenizer)),
        mask_(mask_of(tokenizer, o.kind)) {
    require<ConfigError>(density_ < 1 && random_rate_ + keep_rate_ <= 1, "masked-lm: density {}, random rate {}, keep rate {}; wanted shares",
                         density_, random_rate_, keep_rate_);
    window_ = room(o.max_source_length > 0 ? o.max_source_length : 512, special_count(frame_));
  }

  [[nodiscard]] std::int64_t window() const noexcept override { return window_; }
  /// max(round(density·n), 1) tokens are chosen (BERT's own count); of them 8 in 10 are masked, 1 is another, 1 stays.
  [[nodiscard]] Example make(const Ids& window, Random& random) const override {
    Example example;
    example.source = framed(frame_, window, window_ + special_count(frame_));
    example.tags.assign(example.source.size(), kNoTag);
    const auto count = static_cast<std::size_t>(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::nearbyint(density_ * static_cast<double>(window.size())))));
    const auto order = random.permutation(static_cast<std::uint32_t>(window.size()));
    for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
      const std::size_t at = frame_.begin.size() + order[i];
      example.tags[at] = example.source[at];
      const auto draw = static_cast<double>(random.uniform());
      if (draw < keep_rate_) continue;
      const bool other = draw < keep_rate_ + random_rate_;
      example.source[at] = other ? words_[random.below(static_cast<std::uint32_t>(words_.size()))] : mask_;
    }
    return example;
  }
  [[nodiscard]] Example largest() const override {
    const auto length = static_cast<std::size_t>(window_ + special_count(frame_));
    return {.source = Ids(length), .tags = Ids(length)};
  }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("masked-lm, {} tokens, density {}, random {}, kept {}", window_, density_, random_rate_, keep_rate_);
  }

 private:
  double density_, random_rate_, keep_rate_;
  TextFrame frame_;
  Ids words_;
  std::int32_t mask_;
  std::int64_t window_ = 0;
};

class Denoising final : public Objective {
 public:
  Denoising(const ObjectiveOptions& o, const Tokenizer& tokenizer)
      : rules_{chosen(o.noise_density, 0.3), chosen(o.mean_span_length, 3), chosen_rate(o.random_rate, 0), mask_of(tokenizer, o.kind)},
        permute_(o.permute_sentences),
        frame_(frame_of(tokenizer)),
        words_(words_of(tokenizer)) {
    require<ConfigError>(rules_.density < 1 && rules_.random_rate <= 1, "denoising: density {}, random rate {}; wanted shares", rules_.density,
                         rules_.random_rate);
    window_ = room(o.max_source_length > 0 ? o.max_source_length : 512, special_count(frame_));
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(tokenizer.size()); ++id) {
      const std::string_view token = tokenizer.id_to_token(id).value_or("");
      ends_.push_back(token.ends_with('.') || token.ends_with('!') || token.ends_with('?'));
    }
  }

  [[nodiscard]] std::int64_t window() const noexcept override { return window_; }
  [[nodiscard]] Example make(const Ids& window, Random& random) const override {
    const Ids order = permute_ ? permute_sentences(window, ends_, random) : window;
    const std::int64_t most = longest();
    return {.source = framed(frame_, infill(order, rules_, words_, random), most), .target = framed(frame_, window, most)};
  }
  [[nodiscard]] Example largest() const override {
    return {.source = Ids(static_cast<std::size_t>(longest())), .target = Ids(static_cast<std::size_t>(longest()))};
  }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("denoising, {} tokens, density {}, mean length {}, random {}{}", window_, rules_.density, rules_.mean_length,
                       rules_.random_rate, permute_ ? ", sentences permuted" : "");
  }

 private:
  [[nodiscard]] std::int64_t longest() const { return window_ + special_count(frame_); }

  InfillingRules rules_;
  bool permute_;
  TextFrame frame_;
  Ids words_;
  std::vector<bool> ends_;  ///< by id: whether the token ends a sentence
  std::int64_t window_ = 0;
};

}  // namespace

ObjectiveKind objective_of(std::string_view name) {
  for (const auto& [known, kind] : kObjectives) {
    if (known == name) return kind;
  }
  raise<ConfigError>("objective: '{}' was given; wanted prefix-lm, span-corruption, causal-lm, masked-lm or denoising", name);
}

std::string_view name_of(ObjectiveKind kind) noexcept { return kObjectives[static_cast<std::size_t>(kind)].first; }

std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, const Tokenizer& tokenizer, bool joint) {
  switch (options.kind) {
    case ObjectiveKind::prefix_lm: return std::make_unique<PrefixLm>(options, tokenizer, joint);
    case ObjectiveKind::span_corruption: return std::make_unique<SpanCorruption>(options, tokenizer);
    case ObjectiveKind::causal_lm: return std::make_unique<WholeText>(options);
    case ObjectiveKind::masked_lm: return std::make_unique<MaskedLm>(options, tokenizer);
    case ObjectiveKind::denoising: return std::make_unique<Denoising>(options, tokenizer);
  }
  raise<ConfigError>("objective: number {} was given; wanted one of 5", static_cast<int>(options.kind));
}

}  // namespace preamble
