// Sentences whose words have tags: entities, chunks, semantic roles.
#pragma once

#include <filesystem>
#include <vector>

#include "data/metrics/seqeval.h"
#include "data/tagging_examples.h"
#include "peft/tasks/labelled_data.h"

namespace preamble {

class TaggingData final : public LabelledData {
 public:
  TaggingData(const EncoderTask& task, const std::filesystem::path& path, const Tokenizer& tokenizer, const LoadOptions& options);

  /// precision, recall and f1 of entities as seqeval counts them, accuracy of tags. Words that were cut off are on neither side.
  [[nodiscard]] Metrics score(std::span<const HeadLogits> logits) const override;
  /// words and tags of each sentence; a word that was cut off, or has no token, is outside of all entities (or has the first tag).
  void predict(std::span<const HeadLogits> logits, const JsonSink& sink) const override;

 private:
  /// Remarks on tags that the task lacks, which a model can only miss. Throws FileError if it lacks all but the first of the file.
  void check_tags(const std::filesystem::path& path);

  TagSet tags_;
  std::vector<TaggedWords> sentences_;
  std::vector<std::vector<std::int32_t>> words_;  ///< of each example: which words carry a tag
};

/// The sentences of a file of the task, with tags or to be tagged. Throws as `read_tagged_file`.
[[nodiscard]] std::vector<TaggedWords> sentences_of(const EncoderTask& task, const std::filesystem::path& path, const TableOptions& table,
                                                    bool with_tags);

}  // namespace preamble
