#include "models/gguf/source.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "models/gguf/names.h"
#include "models/gguf/row_order.h"

namespace preamble {
namespace {

/// llama.cpp adds the one of 1 + w to the scales of Gemma's norms.
Tensor without_one(const Tensor& scale) {
  Tensor w = scale.to(Dtype::f32).clone();
  for (float& x : w.values<float>()) x -= 1;
  return w;
}

class GgufSource final : public ParameterSource {
 public:
  explicit GgufSource(GgufFile file) : file_(std::move(file)), architecture_(gguf_architecture(file_)) {
    const bool gated = is_gated(file_);
    for (const auto& name : file_.names()) {
      // config.json holds these factors
      if (name == "rope_freqs.weight") continue;
      // a tensor without a name of the checkpoint is reported by its own
      names_.emplace(checkpoint_name(architecture_, name, gated).value_or(name), name);
    }
  }

  [[nodiscard]] bool contains(std::string_view name) const override { return names_.contains(name); }
  [[nodiscard]] Tensor get(std::string_view name, const Dims&, Dtype) const override {
    const std::string& own = stored(name);
    Tensor tensor = file_.get(own);
    if (const auto order = checkpoint_rows(file_, architecture_, own)) return rows_in_order(tensor, *order);
    return architecture_ == "gemma" && own.ends_with("norm.weight") ? without_one(tensor) : tensor;
  }
  [[nodiscard]] std::string where(std::string_view name) const override {
    return contains(name) ? fmt::format("{}: '{}' ({})", file_.path().string(), stored(name), name) : file_.path().string();
  }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, own] : names_) all.push_back(name);
    return all;
  }

 private:
  [[nodiscard]] const std::string& stored(std::string_view name) const {
    const auto found = names_.find(name);
    require<FileError>(found != names_.end(), "{}: has no tensor '{}'", file_.path().string(), name);
    return found->second;
  }

  GgufFile file_;
  std::string architecture_;
  std::map<std::string, std::string, std::less<>> names_;  ///< of the checkpoint, and in the file
};

}  // namespace

std::string gguf_architecture(const GgufFile& file) {
  const auto found = file.facts().find("general.architecture");
  require<FileError>(found != file.facts().end() && found->is_string(), "{}: has no general.architecture; wanted the name of a model",
                     file.path().string());
  auto name = found->get<std::string>();
  const auto known = gguf_architectures();
  require<UnsupportedError>(std::ranges::find(known, name) != known.end(), "{}: the architecture is '{}'; wanted one of {}",
                            file.path().string(), name, fmt::join(known, ", "));
  return name;
}

bool is_gated(const GgufFile& file) {
  return std::ranges::any_of(file.names(), [](const auto& name) { return name.find(".ffn_gate.") != std::string::npos; });
}

std::shared_ptr<const ParameterSource> gguf_source(const std::filesystem::path& file) {
  return std::make_shared<GgufSource>(GgufFile::open(file));
}

}  // namespace preamble
