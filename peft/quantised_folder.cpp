#include "peft/quantised_folder.h"

#include <utility>

#include "data/quantised_tensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "peft/save_model.h"

namespace preamble {

QuantisedModel quantise_model_folder(const std::filesystem::path& source, const std::filesystem::path& target,
                                     const Parameters::Options& options) {
  require<ConfigError>(is_quantised(options.weights), "quantise: weights {} were given; wanted a quantised type", name_of(options.weights));
  const auto model = open_model(source, options);
  const Parameters& parameters = model->parameters();
  const auto checkpoint = checkpoint_source(source);
  std::vector<std::pair<std::string, Tensor>> tensors;
  QuantisedModel result;
  for (const auto& name : checkpoint->names()) {
    const auto loaded = parameters.loaded().find(name);
    if (loaded == parameters.loaded().end() && parameters.knows(name)) continue;
    const Tensor given = checkpoint->get(name, {}, Dtype::f32);
    const bool quantised = loaded != parameters.loaded().end() && is_quantised(loaded->second.dtype());
    // vectors keep the type of the checkpoint
    const Tensor& kept = quantised ? loaded->second : given;
    result.bytes += static_cast<std::int64_t>(kept.bytes());
    result.source_bytes += given.count() * static_cast<std::int64_t>(sizeof(float));
    if (quantised) {
      result.matrices.push_back(
          {name, kept.dtype(), kept.dims(), static_cast<std::int64_t>(kept.bytes()), quantisation_error(kept, given)});
    }
    tensors.emplace_back(name, kept);
  }
  require<ConfigError>(!result.matrices.empty(), "quantise: every matrix of {} stays as it is; wanted one to quantise", source.string());
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  store_quantised(tensors, metadata);
  copy_model_files(source, target);
  write_safetensors(target / "model.safetensors", tensors, metadata);
  write_atomically(target / "config.json", read_text(source / "config.json"));
  return result;
}

}  // namespace preamble
