#include "data/corpus/corpus_batches.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/core/error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"

namespace corpus_batches_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Ids = std::vector<std::int32_t>;

const Tokenizer& t5() {
  static const auto tokenizer = load_tokenizer(golden("tokenizers/t5-nano"));
  return *tokenizer;
}

/// Documents of different lengths in two files.
struct Corpus {
  Corpus() {
    for (int f = 0; f < 2; ++f) {
      std::string text;
      for (int d = 0; d < 12; ++d) {
        for (int w = 0; w <= (d * 7) % 11; ++w) text += fmt::format("the {} old tree of house number {} ", f, 100 * d + w);
        text += "\n\f\n";
      }
      files.push_back(folder.write(fmt::format("{}.txt", f), text));
    }
  }

  [[nodiscard]] TokenWindows windows(WindowRules rules, std::size_t piece = 64) const {
    return {DocumentReader(files, DocumentFormat::form_feed, "text", piece), t5(), rules};
  }
  [[nodiscard]] CorpusBatches batches(std::int64_t shuffle, std::uint64_t seed = 1) const {
    return {windows({.length = 9}), *objective, {.sequences = 3, .shuffle_windows = shuffle, .seed = seed}};
  }

  TemporaryFolder folder;
  std::vector<std::filesystem::path> files;
  std::unique_ptr<Objective> objective = make_objective({.max_source_length = 10}, t5(), false);
};

std::vector<Ids> all_of(TokenWindows windows) {
  std::vector<Ids> all;
  while (auto window = windows.next()) all.push_back(*std::move(window));
  return all;
}

Ids joined(const std::vector<Ids>& windows) {
  Ids all;
  for (const auto& window : windows) all.insert(all.end(), window.begin(), window.end());
  return all;
}

std::vector<Ids> flat(std::span<const Example* const> batch) {
  std::vector<Ids> all;
  for (const auto* example : batch) {
    all.push_back(example->source);
    all.push_back(example->target);
  }
  return all;
}

}  // namespace

TEST_CASE("token windows: packed ones hold all tokens of all documents in order, whatever the pieces") {
  const Corpus corpus;
  const auto windows = all_of(corpus.windows({.length = 9, .shortest = 1}));
  for (std::size_t i = 0; i + 1 < windows.size(); ++i) CHECK(windows[i].size() == 9);
  CHECK(joined(windows) == joined(all_of(corpus.windows({.length = 50, .shortest = 1}))));
  CHECK(joined(windows) == joined(all_of(corpus.windows({.length = 9, .shortest = 1}, 1 << 16))));
  EncodeOptions plain;
  plain.add_special_tokens = false;
  Ids expected;
  for (DocumentReader reader(corpus.files, DocumentFormat::form_feed); const auto piece = reader.next();) {
    const Ids ids = t5().encode(piece->text, plain).ids;
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  CHECK(joined(windows) == expected);
}

TEST_CASE("token windows: a token may stand behind each document, and windows may hold one document alone") {
  const Corpus corpus;
  const auto packed = joined(all_of(corpus.windows({.length = 9, .document_end = 1})));
  CHECK(std::ranges::count(packed, 1) == 24);
  const auto single = all_of(corpus.windows({.length = 9, .shortest = 1, .packed = false, .document_end = 1}));
  CHECK(joined(single) == packed);
  for (const auto& window : single) {
    const auto end = std::ranges::find(window, 1);
    CHECK((end == window.end() || end + 1 == window.end()));
  }
  CHECK_THROWS_AS((void)corpus.windows({.length = 1}), ConfigError);
}

TEST_CASE("token windows: go on where any window begins") {
  const Corpus corpus;
  for (const bool packed : {true, false}) {
    const WindowRules rules{.length = 7, .packed = packed, .document_end = 1};
    TokenWindows straight = corpus.windows(rules);
    for (int skipped = 0; skipped < 40; ++skipped) {
      TokenWindows other = corpus.windows(rules);
      other.seek(straight.position());
      TokenWindows here = corpus.windows(rules);
      for (int i = 0; i < skipped; ++i) (void)here.next();
      CHECK(all_of(std::move(other)) == all_of(std::move(here)));
      (void)straight.next();
    }
  }
}

TEST_CASE("corpus batches: a pass has each window once, in another order each time") {
  const Corpus corpus;
  const auto windows = all_of(corpus.windows({.length = 9}));
  CorpusBatches batches = corpus.batches(1000);
  // source and target without their end tokens are the window
  const auto window_of = [](const Example& e) {
    Ids ids(e.source.begin(), e.source.end() - 1);
    ids.insert(ids.end(), e.target.begin(), e.target.end() - 1);
    return ids;
  };
  std::vector<std::vector<Ids>> passes;
  std::vector<Ids> pass;
  while (passes.size() < 2) {
    for (const auto* example : batches.next()) {
      pass.push_back(window_of(*example));
      if (pass.size() == windows.size()) passes.push_back(std::exchange(pass, {}));
    }
  }
  CHECK(passes[0] != passes[1]);
  for (auto& p : passes) {
    CHECK(p != windows);
    CHECK(std::ranges::is_permutation(p, windows));
  }
}

TEST_CASE("corpus batches: a run goes on with the same bits from any batch") {
  const Corpus corpus;
  for (const std::int64_t shuffle : {1, 8, 1000}) {
    CAPTURE(shuffle);
    CorpusBatches straight = corpus.batches(shuffle);
    std::vector<BatchPosition> positions;
    std::vector<std::vector<Ids>> expected;
    for (int i = 0; i < 60; ++i) {  // more than a pass
      positions.push_back(straight.position());
      expected.push_back(flat(straight.next()));
    }
    CHECK(straight.position().epoch > 0);
    for (std::size_t from = 0; from < expected.size(); ++from) {
      CorpusBatches other = corpus.batches(shuffle);
      other.seek(positions[from]);
      CHECK(other.position() == positions[from]);
      for (std::size_t i = from; i < std::min(from + 8, expected.size()); ++i) CHECK(flat(other.next()) == expected[i]);
    }
  }
}

TEST_CASE("corpus batches: depend on the seed, not on the number of threads") {
  const Corpus corpus;
  const auto draw = [&](std::uint64_t seed) {
    CorpusBatches batches = corpus.batches(8, seed);
    std::vector<std::vector<Ids>> all;
    for (int i = 0; i < 5; ++i) all.push_back(flat(batches.next()));
    return all;
  };
  const auto one = [&] {
    const Threads limit(1);
    return draw(1);
  }();
  CHECK(draw(1) == one);
  CHECK(draw(2) != one);
}

TEST_CASE("corpus batches: text without a window, and positions of other sources, are refused") {
  const Corpus corpus;
  const auto empty = corpus.folder.write("e.txt", "\n\f\n \f");
  CorpusBatches batches({DocumentReader({empty}, DocumentFormat::form_feed), t5(), {.length = 9}}, *corpus.objective, {});
  CHECK_THROWS_WITH_AS((void)batches.next(), doctest::Contains("no window of 2 tokens"), ConfigError);
  CHECK_THROWS_AS(batches.seek({0, 0}), ConfigError);
  CHECK_THROWS_AS((void)first_examples({DocumentReader({empty}, DocumentFormat::form_feed), t5(), {.length = 9}}, *corpus.objective, 3, 1), ConfigError);
  CHECK(first_examples(corpus.windows({.length = 9}), *corpus.objective, 3, 1).size() == 3);
}

}  // namespace corpus_batches_test
