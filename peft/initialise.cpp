#include "peft/initialise.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

constexpr std::array<std::pair<std::string_view, PromptInitKind>, 11> kNames = {{{"random", PromptInitKind::random},
                                                                                 {"random_symmetric", PromptInitKind::random_symmetric},
                                                                                 {"normal", PromptInitKind::normal},
                                                                                 {"sample_vocab", PromptInitKind::sample_vocab},
                                                                                 {"class_labels", PromptInitKind::class_labels},
                                                                                 {"text", PromptInitKind::text},
                                                                                 {"adapter", PromptInitKind::adapter},
                                                                                 {"file", PromptInitKind::file},
                                                                                 {"RANDOM", PromptInitKind::normal},
                                                                                 {"SAMPLE_VOCAB", PromptInitKind::whole_vocab},
                                                                                 {"TEXT", PromptInitKind::text}}};

/// Fills the rows of one prompt.
class Initialiser {
 public:
  Initialiser(const PromptInit& init, const Tensor& embedding, const Tokenize& tokenize)
      : init_(init),
        embedding_(embedding),
        tokenize_(tokenize),
        random_(init.seed, kStream),
        width_(embedding.dim(1)),
        prompt_(Dtype::f32, {init.tokens, width_}) {}

  Tensor run() {
    switch (init_.kind) {
      case PromptInitKind::random: uniform(0, 0.0F, 0.5F); break;
      case PromptInitKind::random_symmetric: uniform(0, -0.5F, 0.5F); break;
      case PromptInitKind::normal: std::ranges::generate(prompt_.values<float>(), [&] { return random_.normal(); }); break;
      case PromptInitKind::sample_vocab: sample(0); break;
      case PromptInitKind::whole_vocab: draw(0, narrow(embedding_.dim(0))); break;
      case PromptInitKind::class_labels: labels(); break;
      case PromptInitKind::text: text(); break;
      case PromptInitKind::adapter: rows(init_.rows); break;
      case PromptInitKind::file: rows(read_npy(init_.file)); break;
    }
    return std::move(prompt_);
  }

 private:
  static constexpr std::uint64_t kStream = 0x70726F6D7074;  // apart from the streams of shuffling and dropout

  [[nodiscard]] std::span<float> row(std::int64_t i) {
    return prompt_.values<float>().subspan(static_cast<std::size_t>(i * width_), static_cast<std::size_t>(width_));
  }

  void set_embedding(std::int64_t i, std::int64_t id) {
    require<ConfigError>(id >= 0 && id < embedding_.dim(0), "prompt initialiser: token id {} was given; the vocabulary has {}", id,
                         embedding_.dim(0));
    const Tensor values = embedding_.rows(id, 1).to(Dtype::f32);
    std::ranges::copy(values.values<float>(), row(i).begin());
  }

  void uniform(std::int64_t from, float low, float high) {
    for (std::int64_t i = from; i < init_.tokens; ++i) {
      for (auto& x : row(i)) x = random_.uniform(low, high);
    }
  }

  static std::uint32_t narrow(std::int64_t rows) {
    return static_cast<std::uint32_t>(std::min<std::int64_t>(rows, std::numeric_limits<std::int32_t>::max()));
  }

  /// With replacement.
  void draw(std::int64_t from, std::uint32_t population) {
    for (std::int64_t i = from; i < init_.tokens; ++i) set_embedding(i, random_.below(population));
  }

  void sample(std::int64_t from) {
    require<ConfigError>(init_.population > 0, "prompt initialiser: a population of {} was given; wanted one row at least",
                         init_.population);
    const std::uint32_t population = narrow(std::min(init_.population, embedding_.dim(0)));
    const std::int64_t count = init_.tokens - from;
    if (count > population) {
      draw(from, population);
      return;
    }
    const auto order = random_.permutation(population);
    for (std::int64_t i = 0; i < count; ++i) set_embedding(from + i, order[static_cast<std::size_t>(i)]);
  }

  void labels() {
    require<ConfigError>(!init_.labels.empty(), "prompt initialiser: class_labels without labels; wanted one at least");
    const std::int64_t count = std::min(init_.tokens, static_cast<std::int64_t>(init_.labels.size()));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& label = init_.labels[static_cast<std::size_t>(i)];
      const auto ids = tokenize_(label);
      require<ConfigError>(!ids.empty(), "prompt initialiser: label '{}' has no tokens", label);
      std::vector<double> sum(static_cast<std::size_t>(width_));
      for (const auto id : ids) {
        set_embedding(i, id);
        std::ranges::transform(sum, row(i), sum.begin(), [](double s, float x) { return s + static_cast<double>(x); });
      }
      std::ranges::transform(sum, row(i).begin(), [&](double s) { return static_cast<float>(s / static_cast<double>(ids.size())); });
    }
    sample(count);
  }

  void text() {
    const auto ids = tokenize_(init_.text);
    require<ConfigError>(!ids.empty(), "prompt initialiser: text '{}' has no tokens", init_.text);
    const auto given = static_cast<std::int64_t>(ids.size());
    const std::int64_t count = init_.fallback == TextFallback::tile ? init_.tokens : std::min(init_.tokens, given);
    for (std::int64_t i = 0; i < count; ++i) set_embedding(i, ids[static_cast<std::size_t>(i % given)]);
    if (init_.fallback == TextFallback::uniform) uniform(count, 0.0F, 0.01F);
    if (init_.fallback == TextFallback::sample_vocab) sample(count);
  }

  void rows(const Tensor& source) {
    require<ShapeError>(source.defined() && source.dims().size() == 2 && source.dim(1) == width_,
                        "prompt initialiser: rows {} were given; wanted {} wide ones",
                        source.defined() ? to_string(source.dims()) : "absent", width_);
    const std::int64_t count = std::min(init_.tokens, source.dim(0));
    const Tensor values = source.to(Dtype::f32);
    for (std::int64_t i = 0; i < count; ++i) {
      const Tensor one = values.rows(i, 1);
      std::ranges::copy(one.values<float>(), row(i).begin());
    }
    sample(count);
  }

  const PromptInit& init_;
  const Tensor& embedding_;
  const Tokenize& tokenize_;
  Random random_;
  std::int64_t width_;
  Tensor prompt_;
};

}  // namespace

PromptInitKind prompt_init_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, PromptInitKind>::first);
  require<ConfigError>(found != kNames.end(),
                       "prompt initialiser: '{}' was given; wanted random, random_symmetric, normal, sample_vocab, class_labels, "
                       "text, adapter, file, RANDOM, SAMPLE_VOCAB or TEXT",
                       name);
  return found->second;
}

Tensor initial_prompt(const PromptInit& init, const Tensor& embedding, const Tokenize& tokenize) {
  require<ConfigError>(init.tokens > 0, "prompt initialiser: {} virtual tokens were given; wanted one at least", init.tokens);
  require<ShapeError>(embedding.dims().size() == 2 && embedding.count() > 0, "prompt initialiser: an embedding {} was given; wanted [V, D]",
                      to_string(embedding.dims()));
  return Initialiser(init, embedding, tokenize).run();
}

}  // namespace preamble
