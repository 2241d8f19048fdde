#include "models/generate/generation_config_file.h"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include "engine/core/error.h"
#include "engine/core/file.h"

namespace generation_config_file_test {

using namespace preamble;

namespace {

/// A folder that is removed at the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / fmt::format("preamble-generation-config-{}", ::getpid())) {
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

GenerationConfig read(const char* text) { return read_generation_config(JsonFile::parse(text, "g.json")); }

template <class E>
void rejects(const char* text, const char* message) {
  CHECK_THROWS_WITH_AS(static_cast<void>(read(text)), message, E);
}

}  // namespace

TEST_CASE("generation_config_file: the old name of a forced begin token") {
  CHECK(read(R"({"bos_token_id": 5, "force_bos_token_to_be_generated": true})").forced_bos_token_id == std::optional<std::int32_t>(5));
  CHECK(read(R"({"force_bos_token_to_be_generated": true})").forced_bos_token_id == std::optional<std::int32_t>(0));
  CHECK(read(R"({"bos_token_id": 5, "force_bos_token_to_be_generated": true, "forced_bos_token_id": 7})").forced_bos_token_id ==
        std::optional<std::int32_t>(7));
  CHECK_FALSE(read(R"({"bos_token_id": 5, "force_bos_token_to_be_generated": false})").forced_bos_token_id.has_value());
}

TEST_CASE("generation_config_file: reads a summariser's options") {
  const auto config = read(R"({"bos_token_id": 0, "decoder_start_token_id": 2, "early_stopping": true, "eos_token_id": 2,
    "forced_bos_token_id": 0, "forced_eos_token_id": 2, "length_penalty": 2, "max_length": 142, "min_length": 56,
    "no_repeat_ngram_size": 3, "num_beams": 4, "pad_token_id": 1, "transformers_version": "5.17.0"})");
  CHECK(config.bos_token_id == 0);
  CHECK(config.decoder_start_token_id == 2);
  CHECK(config.early_stopping == EarlyStopping::yes);
  CHECK(config.eos_token_ids == std::vector<std::int32_t>{2});
  CHECK(config.forced_bos_token_id == 0);
  CHECK(config.forced_eos_token_id == 2);
  CHECK(config.length_penalty == 2.0);
  CHECK(config.max_length == 142);
  CHECK(config.min_length == 56);
  CHECK(config.no_repeat_ngram_size == 3);
  CHECK(config.num_beams == 4);
  CHECK(config.pad_token_id == 1);
  CHECK_FALSE(config.max_new_tokens.has_value());
}

TEST_CASE("generation_config_file: reads a chat model's options") {
  const auto config = read(R"({"do_sample": true, "eos_token_id": [128001, 128009], "temperature": 0.6, "top_p": 0.9, "top_k": 0,
    "early_stopping": "never", "bad_words_ids": [[628], [198, 3]], "suppress_tokens": [4], "max_new_tokens": 9, "min_new_tokens": 0,
    "repetition_penalty": 1.1, "num_return_sequences": 2, "pad_token_id": null, "typical_p": 1.0, "min_p": null})");
  CHECK(config.do_sample);
  CHECK(config.eos_token_ids == std::vector<std::int32_t>{128001, 128009});
  CHECK(config.temperature == 0.6);
  CHECK(config.top_p == 0.9);
  CHECK(config.top_k == 0);
  CHECK(config.early_stopping == EarlyStopping::never);
  CHECK(config.bad_words_ids == std::vector<std::vector<std::int32_t>>{{628}, {198, 3}});
  CHECK(config.suppress_tokens == std::vector<std::int32_t>{4});
  CHECK(config.max_new_tokens == 9);
  CHECK(config.min_new_tokens == 0);
  CHECK(config.repetition_penalty == 1.1);
  CHECK(config.num_return_sequences == 2);
  CHECK_FALSE(config.pad_token_id.has_value());
}

TEST_CASE("generation_config_file: what is absent or null has transformers' default") {
  const auto config = read(R"({"num_beams": null})");
  CHECK(config.num_beams == 1);
  CHECK(config.top_k == 50);
  CHECK(config.length_penalty == 1.0);
  CHECK(config.early_stopping == EarlyStopping::no);
  CHECK_FALSE(config.do_sample);
  CHECK(config.eos_token_ids.empty());
}

TEST_CASE("generation_config_file: config.json serves where there is no file of its own") {
  const Folder folder;
  CHECK_THROWS_AS(static_cast<void>(read_generation_config(folder.path())), FileError);
  write_atomically(folder.path() / "config.json", std::string_view(R"({"model_type": "x", "eos_token_id": 7, "num_beams": 3})"));
  CHECK(read_generation_config(folder.path()).eos_token_ids == std::vector<std::int32_t>{7});
  CHECK(read_generation_config(folder.path()).num_beams == 3);
  write_atomically(folder.path() / "generation_config.json", std::string_view(R"({"eos_token_id": 8})"));
  CHECK(read_generation_config(folder.path()).eos_token_ids == std::vector<std::int32_t>{8});
  CHECK(read_generation_config(folder.path()).num_beams == 1);
}

TEST_CASE("generation_config_file: rejects values of the wrong type") {
  rejects<FileError>(R"({"num_beams": "4"})", "g.json: field 'num_beams' is \"4\"; wanted an integer");
  rejects<FileError>(R"({"early_stopping": "maybe"})", "g.json: field 'early_stopping' is \"maybe\"; wanted true, false or \"never\"");
  rejects<FileError>(R"({"eos_token_id": [1, "2"]})", "g.json: field 'eos_token_id' is [1,\"2\"]; wanted a token id or a list of them");
  rejects<FileError>(R"({"eos_token_id": 18446744073709551615})",
                     "g.json: field 'eos_token_id' is 18446744073709551615; wanted a token id or a list of them");
  rejects<FileError>(R"({"bad_words_ids": [1]})", "g.json: field 'bad_words_ids' is [1]; wanted a list of lists of token ids");
}

TEST_CASE("generation_config_file: refuses features that are not here") {
  rejects<UnsupportedError>(R"({"penalty_alpha": 0.6})",
                            "g.json: field 'penalty_alpha' is set; wanted none: this feature of transformers is not supported");
  rejects<UnsupportedError>(R"({"typical_p": 0.9})",
                            "g.json: field 'typical_p' is set; wanted none: this feature of transformers is not supported");
}

}  // namespace generation_config_file_test
