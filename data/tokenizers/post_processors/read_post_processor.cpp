#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/tokenizers/post_processors/post_processor.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using nlohmann::json;

/// An id that a post-processor adds; it must be a token's.
[[nodiscard]] std::int32_t known_id(const json& value, const Vocabulary& vocabulary) {
  const auto id = value.get<std::int64_t>();
  require<FileError>(vocabulary.token(id) != nullptr, "{}: the post-processor adds id {}; wanted one of the vocabulary", vocabulary.origin(),
                     id);
  return static_cast<std::int32_t>(id);
}

[[nodiscard]] TemplatePart read_part(const json& item, const json& special, const Vocabulary& vocabulary) {
  const bool is_text = item.contains("Sequence");
  const json& body = is_text ? item.at("Sequence") : item.at("SpecialToken");
  TemplatePart part{.type = body.value("type_id", std::int32_t{0})};
  const auto id = body.at("id").get<std::string>();
  if (is_text) {
    require<FileError>(id == "A" || id == "B", "{}: a template with the text '{}'; wanted A or B", vocabulary.origin(), id);
    part.text = id == "A" ? 0 : 1;
  } else {
    for (const json& value : special.at(id).at("ids")) part.ids.push_back(known_id(value, vocabulary));
  }
  return part;
}

/// The parts of a template that shows `texts` texts.
[[nodiscard]] std::vector<TemplatePart> read_template(const json& items, std::int32_t texts, const json& special,
                                                      const Vocabulary& vocabulary) {
  std::vector<TemplatePart> parts;
  for (const json& item : items) parts.push_back(read_part(item, special, vocabulary));
  for (std::int32_t text = 0; text < 2; ++text) {
    const bool shown = std::any_of(parts.begin(), parts.end(), [&](const TemplatePart& part) { return part.text == text; });
    require<FileError>(shown == (text < texts), "{}: a template for {} that {} text {}; wanted {}", vocabulary.origin(),
                       texts == 1 ? "one text" : "a pair", shown ? "holds" : "lacks", text == 0 ? "A" : "B", texts == 1 ? "A alone" : "A and B");
  }
  return parts;
}

[[nodiscard]] std::unique_ptr<PostProcessor> read_roberta(const json& value, const Vocabulary& vocabulary) {
  const std::int32_t cls = known_id(value.at("cls").at(1), vocabulary);
  const std::int32_t sep = known_id(value.at("sep").at(1), vocabulary);
  std::vector<std::unique_ptr<PostProcessor>> parts;
  if (value.value("trim_offsets", true)) parts.push_back(std::make_unique<OffsetTrimmer>(value.value("add_prefix_space", true)));
  parts.push_back(surrounding({cls}, {sep, sep}, {sep}));
  return std::make_unique<PostProcessorSequence>(std::move(parts));
}

[[nodiscard]] std::unique_ptr<PostProcessor> post_processor_sequence(const json& value, const Vocabulary& vocabulary) {
  std::vector<std::unique_ptr<PostProcessor>> parts;
  for (const json& part : value.at("processors")) {
    if (auto processor = read_post_processor(part, vocabulary)) parts.push_back(std::move(processor));
  }
  const auto adding = std::ranges::count_if(parts, [](const auto& processor) { return processor->added(false) + processor->added(true) > 0; });
  require<UnsupportedError>(adding <= 1, "{}: a Sequence with {} post-processors that add tokens; wanted one of them", vocabulary.origin(), adding);
  return std::make_unique<PostProcessorSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<PostProcessor> read_post_processor(const json& value, const Vocabulary& vocabulary) {
  if (value.is_null()) return nullptr;
  const auto type = value.at("type").get<std::string>();
  if (type == "Sequence") return post_processor_sequence(value, vocabulary);
  if (type == "TemplateProcessing") {
    const json& special = value.at("special_tokens");
    return std::make_unique<TemplateProcessor>(read_template(value.at("single"), 1, special, vocabulary),
                                               read_template(value.at("pair"), 2, special, vocabulary));
  }
  if (type == "BertProcessing") {
    const std::int32_t sep = known_id(value.at("sep").at(1), vocabulary);
    return surrounding({known_id(value.at("cls").at(1), vocabulary)}, {sep}, {sep}, 1);
  }
  if (type == "RobertaProcessing") return read_roberta(value, vocabulary);
  if (type == "ByteLevel") {
    if (!value.value("trim_offsets", true)) return nullptr;
    return std::make_unique<OffsetTrimmer>(value.value("add_prefix_space", true));
  }
  raise<UnsupportedError>("{}: the post-processor {} is not built in", vocabulary.origin(), type);
}

}  // namespace preamble
