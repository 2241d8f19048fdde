#include "models/open_model.h"

#include <utility>

#include "data/json_file.h"
#include "engine/core/error.h"
#include "models/t5/t5.h"

namespace preamble {

std::unique_ptr<EncoderDecoder> open_encoder_decoder(const std::filesystem::path& folder, Parameters::Options options) {
  const JsonFile json = JsonFile::open(folder / "config.json");
  const auto type = json.get<std::string>("model_type");
  require<UnsupportedError>(type == "t5", "{}: model_type is '{}'; wanted t5", json.where(), type);
  return T5::open(folder, std::move(options));
}

}  // namespace preamble
