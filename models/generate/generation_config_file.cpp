#include "models/generate/generation_config_file.h"

#include <initializer_list>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Throws for a field whose several forms JsonFile does not know.
[[noreturn]] void wrong(const JsonFile& file, const char* key, const char* wanted) {
  const auto text = file.value().at(key).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  raise<FileError>("{}: field '{}' is {}; wanted {}", file.where(), key, text, wanted);
}

template <class T>
void read(const JsonFile& file, const char* key, T& target) {
  target = file.get<T>(key, target);
}

template <class T>
void read(const JsonFile& file, const char* key, std::optional<T>& target) {
  if (const auto found = file.find<T>(key)) target = found;
}

/// The ids of a JSON list.
std::vector<std::int32_t> token_ids(const JsonFile& file, const char* key, const nlohmann::json& list, const char* wanted) {
  if (!list.is_array()) wrong(file, key, wanted);
  std::vector<std::int32_t> ids;
  for (const auto& id : list) {
    const bool fits = id.is_number_unsigned() ? std::in_range<std::int32_t>(id.get<std::uint64_t>())
                                              : id.is_number_integer() && std::in_range<std::int32_t>(id.get<std::int64_t>());
    if (!fits) wrong(file, key, wanted);
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

/// A list of ids, or one id.
void read_ids(const JsonFile& file, const char* key, std::vector<std::int32_t>& target) {
  if (!file.has(key)) return;
  const auto& value = file.value().at(key);
  target = token_ids(file, key, value.is_array() ? value : nlohmann::json::array({value}), "a token id or a list of them");
}

void read_bad_words(const JsonFile& file, GenerationConfig& config) {
  const char* key = "bad_words_ids";
  const char* wanted = "a list of lists of token ids";
  if (!file.has(key)) return;
  const auto& value = file.value().at(key);
  if (!value.is_array()) wrong(file, key, wanted);
  config.bad_words_ids.clear();
  for (const auto& word : value) config.bad_words_ids.push_back(token_ids(file, key, word, wanted));
}

void read_early_stopping(const JsonFile& file, GenerationConfig& config) {
  const char* key = "early_stopping";
  if (!file.has(key)) return;
  const auto& value = file.value().at(key);
  if (!value.is_boolean() && value != "never") wrong(file, key, "true, false or \"never\"");
  if (value.is_string()) {
    config.early_stopping = EarlyStopping::never;
  } else {
    config.early_stopping = value.get<bool>() ? EarlyStopping::yes : EarlyStopping::no;
  }
}

void read_search(const JsonFile& file, GenerationConfig& config) {
  read(file, "max_new_tokens", config.max_new_tokens);
  read(file, "max_length", config.max_length);
  read(file, "min_new_tokens", config.min_new_tokens);
  read(file, "min_length", config.min_length);
  read(file, "num_beams", config.num_beams);
  read(file, "length_penalty", config.length_penalty);
  read_early_stopping(file, config);
  read(file, "num_return_sequences", config.num_return_sequences);
  read(file, "do_sample", config.do_sample);
  read(file, "temperature", config.temperature);
  read(file, "top_k", config.top_k);
  read(file, "top_p", config.top_p);
}

void read_rules_and_tokens(const JsonFile& file, GenerationConfig& config) {
  read(file, "repetition_penalty", config.repetition_penalty);
  read(file, "no_repeat_ngram_size", config.no_repeat_ngram_size);
  read_bad_words(file, config);
  read_ids(file, "suppress_tokens", config.suppress_tokens);
  read(file, "forced_bos_token_id", config.forced_bos_token_id);
  read(file, "forced_eos_token_id", config.forced_eos_token_id);
  read_ids(file, "eos_token_id", config.eos_token_ids);
  read(file, "pad_token_id", config.pad_token_id);
  read(file, "bos_token_id", config.bos_token_id);
  read(file, "decoder_start_token_id", config.decoder_start_token_id);
  // the name of old BART configs, whose begin token is 0 where none is given
  if (!config.forced_bos_token_id && file.get<bool>("force_bos_token_to_be_generated", false))
    config.forced_bos_token_id = config.bos_token_id.value_or(0);
}

/// Throws if one of `keys` is there with another value than `neutral`, with which it does nothing.
void refuse(const JsonFile& file, std::initializer_list<const char*> keys, const nlohmann::json& neutral) {
  for (const char* key : keys) {
    require<UnsupportedError>(!file.has(key) || file.value().at(key) == neutral,
                              "{}: field '{}' is set; wanted none: this feature of transformers is not supported", file.where(), key);
  }
}

void refuse_unsupported(const JsonFile& file) {
  refuse(file,
         {"begin_suppress_tokens", "constraints", "dola_layers", "exponential_decay_length_penalty", "force_words_ids", "min_p",
          "penalty_alpha", "sequence_bias", "stop_strings", "top_h", "watermarking_config"},
         nullptr);
  refuse(file, {"diversity_penalty", "encoder_no_repeat_ngram_size", "epsilon_cutoff", "eta_cutoff"}, 0);
  refuse(file, {"encoder_repetition_penalty", "guidance_scale", "num_beam_groups", "typical_p"}, 1);
  refuse(file, {"renormalize_logits"}, false);
}

}  // namespace

GenerationConfig read_generation_config(const JsonFile& file) {
  refuse_unsupported(file);
  GenerationConfig config;
  read_search(file, config);
  read_rules_and_tokens(file, config);
  return config;
}

GenerationConfig read_generation_config(const std::filesystem::path& folder) {
  const auto own = folder / "generation_config.json";
  return read_generation_config(JsonFile::open(std::filesystem::exists(own) ? own : folder / "config.json"));
}

}  // namespace preamble
