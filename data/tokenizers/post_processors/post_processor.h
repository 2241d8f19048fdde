// What is put around the tokens of a text or a pair: the `post_processor` of a tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/encoding.h"
#include "data/tokenizers/vocabulary.h"

namespace preamble {

/// The tokens of the texts: at first a list for each text, at last all in one or several lists, one behind the other.
using Sequences = std::vector<std::vector<Token>>;

/// What a caller may change from text to text.
struct PostProcessOptions {
  bool add_special_tokens = true;
  /// Overrides `add_prefix_space` where offsets are trimmed.
  std::optional<bool> add_prefix_space = std::nullopt;
};

/// A post-processor. Const and safe to call from several threads.
class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual void process(Sequences& sequences, const PostProcessOptions& options) const = 0;
  /// Special tokens that `process` adds to one text or to a pair.
  [[nodiscard]] virtual std::size_t added(bool pair) const noexcept = 0;
};

/// A special token or a text of a template.
struct TemplatePart {
  /// 0 for the first text, 1 for the second; -1 for special tokens.
  std::int32_t text = -1;
  /// Of the special tokens.
  std::vector<std::int32_t> ids = {};
  std::int32_t type = 0;
};

/// `TemplateProcessing`, and `BertProcessing` and `RobertaProcessing`, which are templates.
class TemplateProcessor final : public PostProcessor {
 public:
  TemplateProcessor(std::vector<TemplatePart> single, std::vector<TemplatePart> pair)
      : single_(std::move(single)), pair_(std::move(pair)) {}
  void process(Sequences& sequences, const PostProcessOptions& options) const override;
  [[nodiscard]] std::size_t added(bool pair) const noexcept override;

 private:
  std::vector<TemplatePart> single_, pair_;
};

/// `ByteLevel`: offsets leave out the white space at the ends of tokens. A space that was added in front of a text is no character of it.
class OffsetTrimmer final : public PostProcessor {
 public:
  explicit OffsetTrimmer(bool add_prefix_space) : add_prefix_space_(add_prefix_space) {}
  void process(Sequences& sequences, const PostProcessOptions& options) const override;
  [[nodiscard]] std::size_t added(bool /*pair*/) const noexcept override { return 0; }

 private:
  bool add_prefix_space_;
};

/// `Sequence`
class PostProcessorSequence final : public PostProcessor {
 public:
  explicit PostProcessorSequence(std::vector<std::unique_ptr<PostProcessor>> parts) : parts_(std::move(parts)) {}
  void process(Sequences& sequences, const PostProcessOptions& options) const override;
  [[nodiscard]] std::size_t added(bool pair) const noexcept override;

 private:
  std::vector<std::unique_ptr<PostProcessor>> parts_;
};

/// The post-processor that a `post_processor` object describes; null for null. Its tokens must be in `vocabulary`, which also names the file in
/// errors. Throws UnsupportedError for another kind, FileError or nlohmann::json::exception for a malformed one.
[[nodiscard]] std::unique_ptr<PostProcessor> read_post_processor(const nlohmann::json& value, const Vocabulary& vocabulary);

/// `begin A end`, `begin A between B end`; the second text and its end have the type `second_type`.
[[nodiscard]] std::unique_ptr<PostProcessor> surrounding(std::vector<std::int32_t> begin, std::vector<std::int32_t> between,
                                                         std::vector<std::int32_t> end, std::int32_t second_type = 0);

/// `bos A eos`, `bos A eos bos B eos` with what is there (`add_bos_token`, `add_eos_token`); the second text's part has the type 1.
[[nodiscard]] std::unique_ptr<PostProcessor> each_between(std::optional<std::int32_t> bos, std::optional<std::int32_t> eos);

}  // namespace preamble
