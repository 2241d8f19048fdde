// METEOR, scored by its own program.
#pragma once

#include <filesystem>
#include <string>

#include "data/metrics/corpus.h"

namespace preamble::metrics {

/// Where METEOR 1.5 is. Its paraphrase table `data/paraphrase-en.gz` lies beside the jar.
struct MeteorOptions {
  /// Path of meteor-1.5.jar; empty: the environment variable PREAMBLE_METEOR_JAR.
  std::filesystem::path jar;
  std::string java = "java";
};

/// METEOR (Denkowski & Lavie 2014), 0..1: aggregate score of the original program, version 1.5, English, with
/// normalisation (`-l en -norm`), on `caption_tokens`. It needs WordNet synonyms and a paraphrase table and is not
/// reimplemented. Throws UnsupportedError that says what is missing if the jar or Java is not there or fails, Error if
/// `corpus` is empty.
[[nodiscard]] double meteor(const Corpus& corpus, const MeteorOptions& options = {});

}  // namespace preamble::metrics
