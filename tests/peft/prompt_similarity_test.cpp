#include "peft/prompt_similarity.h"

#include <cmath>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/adapter_file.h"
#include "peft/prompt_geometry.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/values.h"

namespace prompt_similarity_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

void put(const std::filesystem::path& folder, const Tensor& prompt, PeftType type = PeftType::prompt_tuning) {
  PeftConfig config;
  config.peft_type = type;
  config.task_type = "SEQ_2_SEQ_LM";
  config.num_virtual_tokens = prompt.dim(0);
  config.num_transformer_submodules = 1;
  write_adapter(folder, config, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", prompt}});
}

}  // namespace

TEST_CASE("prompt similarity: the cosine of average rows, and the mean over all pairs of rows") {
  const Tensor one = tensor_of({2, 2}, std::vector<float>{1, 0, 3, 0}), other = tensor_of({3, 2}, std::vector<float>{0, 1, 2, 2, 1, 0});
  const PromptSimilarity found = similarity_of(one, other);
  CHECK(found.average == doctest::Approx(3 / std::sqrt(18.0)));
  CHECK(found.per_token == doctest::Approx((std::sqrt(0.5) + 1) / 3));
  // the same by all pairs
  const Tensor rows = random_like(tensor_of({5, 7}, std::vector<float>(35, 1)), 3);
  const auto cosines = cosine_matrix(rows);
  double sum = 0;
  for (const double c : cosines) sum += c / 25;
  CHECK(similarity_of(rows, rows).per_token == doctest::Approx(sum));
  CHECK(similarity_of(rows, rows).average == doctest::Approx(1));
  CHECK_THROWS_AS((void)similarity_of(one, rows), ShapeError);
}

TEST_CASE("prompt similarity: a table of folders, by their names") {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a", b = folder.path() / "b", again = folder.path() / "x" / "a";
  put(a, tensor_of({1, 2}, std::vector<float>{1, 0}));
  put(b, tensor_of({2, 2}, std::vector<float>{0, 1, 0, 5}));
  put(again, tensor_of({1, 2}, std::vector<float>{-1, 0}));
  const SimilarityTable table = similarity_of({a, b, again});
  CHECK(table.names == std::vector<std::string>{"a", "b", "a (2)"});
  check_close(table.average, {1, 0, -1, 0, 1, 0, -1, 0, 1}, 1e-12);
  check_close(table.per_token, {1, 0, -1, 0, 1, 0, -1, 0, 1}, 1e-12);
  CHECK_THROWS_AS((void)similarity_of(std::vector<std::filesystem::path>{a}), ConfigError);
  const auto prefix = folder.path() / "p";
  put(prefix, tensor_of({1, 2}, std::vector<float>{1, 0}), PeftType::prefix_tuning);
  CHECK_THROWS_AS((void)similarity_of({a, prefix}), UnsupportedError);
}

}  // namespace prompt_similarity_test
