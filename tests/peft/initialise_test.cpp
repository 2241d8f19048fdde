#include "peft/initialise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/support/temporary_file.h"
#include "tests/support/values.h"

namespace initialise_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

constexpr std::int64_t kWidth = 2;

/// Row i is (i, -i), so that a row tells which one it is.
Tensor numbered(std::int64_t rows) {
  Tensor tensor(Dtype::f32, {rows, kWidth});
  auto values = tensor.values<float>();
  for (std::int64_t i = 0; i < rows; ++i) {
    values[static_cast<std::size_t>(2 * i)] = static_cast<float>(i);
    values[static_cast<std::size_t>(2 * i + 1)] = static_cast<float>(-i);
  }
  return tensor;
}

/// `a` is 10, `b` 11, ...
std::vector<std::int32_t> letters(std::string_view text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) ids.push_back(c - 'a' + 10);
  return ids;
}

PromptInit of(PromptInitKind kind, std::int64_t tokens) {
  PromptInit init;
  init.kind = kind;
  init.tokens = tokens;
  return init;
}

Tensor run(const PromptInit& init, const Tensor& embedding) { return initial_prompt(init, embedding, letters); }

/// The rows' numbers; fails if a row is none of `numbered`.
std::vector<int> rows_of(const Tensor& prompt) {
  std::vector<int> rows;
  const auto values = numbers(prompt);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    REQUIRE(values[i] == -values[i + 1]);
    rows.push_back(static_cast<int>(values[i]));
  }
  return rows;
}

void check_uniform(const std::vector<double>& values, double low, double high) {
  const auto [least, most] = std::ranges::minmax(values);
  CHECK(least >= low);
  CHECK(most < high);
  // as many thousands of values reach nearly both ends, and their mean the middle
  CHECK(least < low + 0.01 * (high - low));
  CHECK(most > high - 0.01 * (high - low));
  double sum = 0;
  for (const double x : values) sum += x;
  CHECK(sum / static_cast<double>(values.size()) == doctest::Approx((low + high) / 2).epsilon(0.02).scale(high - low));
}

}  // namespace

TEST_CASE("initialise: the released code's random prompt is uniform in [0, 0.5), the paper's in [-0.5, 0.5)") {
  check_uniform(numbers(run(of(PromptInitKind::random, 5000), numbered(3))), 0, 0.5);
  check_uniform(numbers(run(of(PromptInitKind::random_symmetric, 5000), numbered(3))), -0.5, 0.5);
}

TEST_CASE("initialise: PEFT's RANDOM is standard normal") {
  double sum = 0;
  double squares = 0;
  const auto values = numbers(run(of(PromptInitKind::normal, 10000), numbered(3)));
  for (const double x : values) sum += x, squares += x * x;
  const auto n = static_cast<double>(values.size());
  CHECK(std::abs(sum / n) < 0.03);
  CHECK(std::abs(squares / n - 1) < 0.05);
}

TEST_CASE("initialise: sampled words are the first of the vocabulary, each once") {
  PromptInit init = of(PromptInitKind::sample_vocab, 40);
  init.population = 50;
  const auto rows = rows_of(run(init, numbered(1000)));
  const std::set<int> unique(rows.begin(), rows.end());
  CHECK(unique.size() == 40);
  CHECK(*unique.rbegin() < 50);
  CHECK(!std::ranges::is_sorted(rows));
}

TEST_CASE("initialise: a prompt longer than the population draws with replacement") {
  PromptInit init = of(PromptInitKind::sample_vocab, 500);
  init.population = 20;
  const auto rows = rows_of(run(init, numbered(1000)));
  const std::set<int> unique(rows.begin(), rows.end());
  CHECK(unique.size() == 20);
  CHECK(*unique.rbegin() == 19);
}

TEST_CASE("initialise: a population larger than the vocabulary is the vocabulary") {
  auto rows = rows_of(run(of(PromptInitKind::sample_vocab, 7), numbered(7)));
  std::ranges::sort(rows);
  CHECK(rows == std::vector<int>{0, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("initialise: PEFT's SAMPLE_VOCAB draws from all words, with replacement") {
  PromptInit init = of(PromptInitKind::whole_vocab, 3000);
  init.population = 5;
  const auto rows = rows_of(run(init, numbered(100)));
  CHECK(std::set<int>(rows.begin(), rows.end()).size() == 100);
}

TEST_CASE("initialise: a label's row is the mean of its tokens, and the others are sampled words") {
  PromptInit init = of(PromptInitKind::class_labels, 6);
  init.labels = {"a", "bd", "ccc"};
  init.population = 8;
  const auto rows = rows_of(run(init, numbered(100)));
  CHECK(std::vector<int>(rows.begin(), rows.begin() + 3) == std::vector<int>{10, 12, 12});
  std::set<int> rest(rows.begin() + 3, rows.end());
  CHECK(rest.size() == 3);
  CHECK(*rest.rbegin() < 8);
}

TEST_CASE("initialise: labels beyond the prompt's rows are left out") {
  PromptInit init = of(PromptInitKind::class_labels, 2);
  init.labels = {"c", "b", "a"};
  CHECK(rows_of(run(init, numbered(100))) == std::vector<int>{12, 11});
}

TEST_CASE("initialise: a text is cut, repeated, or followed by what the fallback says") {
  PromptInit init = of(PromptInitKind::text, 2);
  init.text = "abc";
  CHECK(rows_of(run(init, numbered(100))) == std::vector<int>{10, 11});
  init.tokens = 8;
  CHECK(rows_of(run(init, numbered(100))) == std::vector<int>{10, 11, 12, 10, 11, 12, 10, 11});
  init.fallback = TextFallback::sample_vocab;
  init.population = 9;
  const auto sampled = rows_of(run(init, numbered(100)));
  CHECK(std::vector<int>(sampled.begin(), sampled.begin() + 3) == std::vector<int>{10, 11, 12});
  CHECK(*std::max_element(sampled.begin() + 3, sampled.end()) < 9);
  init.fallback = TextFallback::uniform;
  init.tokens = 5000;
  const auto uniform = numbers(run(init, numbered(100)));
  CHECK(uniform[4] == 12);
  check_uniform({uniform.begin() + 6, uniform.end()}, 0, 0.01);
}

TEST_CASE("initialise: rows of an adapter or a file come first, sampled words behind them") {
  PromptInit init = of(PromptInitKind::adapter, 5);
  init.rows = tensor_of({2, kWidth}, std::vector<float>{50, -50, 60, -60}).to(Dtype::bf16);
  init.population = 3;
  const auto rows = rows_of(run(init, numbered(100)));
  CHECK(rows[0] == 50);
  CHECK(rows[1] == 60);
  CHECK(*std::max_element(rows.begin() + 2, rows.end()) < 3);
  init.tokens = 1;
  CHECK(rows_of(run(init, numbered(100))) == std::vector<int>{50});

  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
  const std::vector<float> values = {7, -7};
  std::string npy = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  npy.append(reinterpret_cast<const char*>(values.data()), 8);
  const TemporaryFile file("rows.npy", npy);
  init = of(PromptInitKind::file, 1);
  init.file = file.path();
  CHECK(rows_of(run(init, numbered(100))) == std::vector<int>{7});
}

TEST_CASE("initialise: equal arguments give equal rows, another seed others, and bf16 embeddings the same") {
  for (const auto kind : {PromptInitKind::random, PromptInitKind::normal, PromptInitKind::sample_vocab, PromptInitKind::whole_vocab}) {
    PromptInit init = of(kind, 20);
    const auto first = numbers(run(init, numbered(100)));
    CHECK(numbers(run(init, numbered(100))) == first);
    CHECK(numbers(run(init, numbered(100).to(Dtype::bf16))) == first);
    init.seed = 1;
    CHECK(numbers(run(init, numbered(100))) != first);
  }
}

TEST_CASE("initialise: the prompt is memory of its own") {
  Tensor embedding = numbered(30);
  PromptInit init = of(PromptInitKind::text, 1);
  init.text = "a";
  Tensor prompt = run(init, embedding);
  prompt.values<float>()[0] = 99;
  CHECK(embedding.values<float>()[20] == 10);
}

TEST_CASE("initialise: names of both worlds") {
  CHECK(prompt_init_of("random") == PromptInitKind::random);
  CHECK(prompt_init_of("RANDOM") == PromptInitKind::normal);
  CHECK(prompt_init_of("sample_vocab") == PromptInitKind::sample_vocab);
  CHECK(prompt_init_of("SAMPLE_VOCAB") == PromptInitKind::whole_vocab);
  CHECK(prompt_init_of("TEXT") == PromptInitKind::text);
  CHECK_THROWS_WITH_AS(
      (void)prompt_init_of("zeros"),
      "prompt initialiser: 'zeros' was given; wanted random, random_symmetric, normal, sample_vocab, class_labels, text, adapter, file, "
      "RANDOM, SAMPLE_VOCAB or TEXT",
      ConfigError);
}

TEST_CASE("initialise: says what is missing or does not fit") {
  const Tensor words = numbered(20);
  const auto fails = [&](PromptInit init, const char* message) { CHECK_THROWS_WITH((void)run(init, words), message); };
  fails(of(PromptInitKind::random, 0), "prompt initialiser: 0 virtual tokens were given; wanted one at least");
  fails(of(PromptInitKind::class_labels, 2), "prompt initialiser: class_labels without labels; wanted one at least");
  fails(of(PromptInitKind::text, 2), "prompt initialiser: text '' has no tokens");
  fails(of(PromptInitKind::adapter, 2), "prompt initialiser: rows absent were given; wanted 2 wide ones");
  PromptInit init = of(PromptInitKind::adapter, 2);
  init.rows = Tensor(Dtype::f32, {2, 3});
  fails(init, "prompt initialiser: rows [2, 3] were given; wanted 2 wide ones");
  init = of(PromptInitKind::class_labels, 2);
  init.labels = {""};
  fails(init, "prompt initialiser: label '' has no tokens");
  init = of(PromptInitKind::text, 2);
  init.text = "z";
  fails(init, "prompt initialiser: token id 35 was given; the vocabulary has 20");
  init = of(PromptInitKind::sample_vocab, 2);
  init.population = -1;
  fails(init, "prompt initialiser: a population of -1 was given; wanted one row at least");
  CHECK_THROWS_WITH((void)run(of(PromptInitKind::random, 1), Tensor(Dtype::f32, {5})),
                    "prompt initialiser: an embedding [5] was given; wanted [V, D]");
}

}  // namespace initialise_test
