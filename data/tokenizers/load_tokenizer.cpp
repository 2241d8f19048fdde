#include <string>
#include <string_view>

#include "data/tokenizers/families.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

[[nodiscard]] std::unique_ptr<Tokenizer> load_folder(const std::filesystem::path& folder) {
  const TokenizerConfig config = read_tokenizer_config(folder);
  const auto has = [&](std::string_view name) { return std::filesystem::exists(folder / name); };
  if (has("tokenizer.json")) return load_tokenizer_json(folder / "tokenizer.json", config);
  for (const std::string_view name : {"spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model", "cog-pretrain.model"}) {
    if (has(name)) return load_sentencepiece(folder / name, config);
  }
  if (has("vocab.json") && has("merges.txt")) return load_byte_level(folder / "vocab.json", folder / "merges.txt", config);
  if (has("vocab.txt")) return load_wordpiece(folder / "vocab.txt", config);
  raise<FileError>(
      "{}: no tokenizer in this folder; wanted tokenizer.json, a SentencePiece model (spiece.model, spm.model, sentencepiece.bpe.model, "
      "tokenizer.model, cog-pretrain.model), vocab.json with merges.txt, or vocab.txt",
      folder.string());
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return load_folder(path);
  const std::string extension = path.extension().string();
  if (extension == ".json") return load_tokenizer_json(path, {});
  if (extension == ".model") return load_sentencepiece(path, {});
  if (extension == ".txt") return load_wordpiece(path, {});
  raise<FileError>("{}: a tokenizer file; wanted tokenizer.json, a SentencePiece .model, a vocab.txt, or a folder", path.string());
}

}  // namespace preamble
