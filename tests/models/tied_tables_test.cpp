#include "models/tied_tables.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/bart/bart.h"
#include "models/gpt2/gpt2.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace tied_tables_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

/// A copy of a golden folder whose tensor `name` stands under other names.
void write_renamed(const TemporaryFolder& folder, const std::string& model, const std::string& name, const std::vector<std::string>& names) {
  write_atomically(folder.path() / "config.json", read_text(golden(model) / "config.json"));
  const auto file = SafetensorsFile::open(golden(model) / "model.safetensors");
  Tensors tensors;
  for (const auto& one : file.names()) {
    if (one != name) tensors.emplace_back(one, file.get(one));
  }
  for (const auto& other : names) tensors.emplace_back(other, file.get(name));
  write_safetensors(folder.path() / "model.safetensors", tensors);
}

}  // namespace

TEST_CASE("tied tables: the first name that the checkpoint has is taken, and a head is its own only where it differs") {
  TemporaryFolder folder;
  const Tensors tensors = {{"b", tensor_of({2}, std::vector<float>{1, 2})},
                           {"c", tensor_of({2}, std::vector<float>{1, 2})},
                           {"d", tensor_of({2}, std::vector<float>{1, 3})}};
  write_safetensors(folder.path() / "model.safetensors", tensors);
  const auto source = checkpoint_source(folder.path());
  Parameters parameters(source, {});
  CHECK(first_present(parameters, {"a", "c", "b"}) == "c");
  CHECK(first_present(parameters, {"x", "y"}) == "x");
  CHECK_FALSE(has_own_head(*source, "a", "b"));
  CHECK_FALSE(has_own_head(*source, "c", "b"));
  CHECK(has_own_head(*source, "d", "b"));
  CHECK(has_own_head(*source, "d", "a"));
  CHECK_NOTHROW(tolerate_copies(parameters, *source, "b", {"a", "b", "c"}));
  CHECK_THROWS_WITH_AS(tolerate_copies(parameters, *source, "b", {"d"}), doctest::Contains("'d' differs from 'b'; wanted equal tables"),
                       UnsupportedError);
}

TEST_CASE("tied tables: a BART is opened by any name of its table") {
  const std::string shared = "model.shared.weight";
  const std::vector<std::vector<std::string>> all = {{"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"},
                                                     {"model.decoder.embed_tokens.weight"},
                                                     {"lm_head.weight"}};
  for (const auto& names : all) {
    CAPTURE(names[0]);
    TemporaryFolder folder;
    write_renamed(folder, "bart/model", shared, names);
    const auto model = Bart::open(folder.path());
    CHECK(model->embedding_name() == names[0]);
    CHECK(model->embedding().dims() == Dims{103, 32});
  }
  TemporaryFolder none;
  write_renamed(none, "bart/model", shared, {});
  CHECK_THROWS_WITH_AS((void)Bart::open(none.path()), doctest::Contains("tensor 'model.shared.weight' is missing"), FileError);
}

TEST_CASE("tied tables: a GPT-2 whose file keeps the head's name alone is opened") {
  TemporaryFolder folder;
  write_renamed(folder, "gpt2/model", "transformer.wte.weight", {"lm_head.weight"});
  CHECK(Gpt2::open(folder.path())->embedding_name() == "lm_head.weight");
}

}  // namespace tied_tables_test
