// CIDEr, the consensus score of captions.
#pragma once

#include "data/metrics/corpus.h"

namespace preamble::metrics {

/// CIDEr (Vedantam et al. 2015) in the clipped form with length penalty (CIDEr-D) that the E2E scorer computes; 0..10.
///
///   weight(g) = count · (ln instances - ln max(1, df(g))), df over the references of this corpus, n = 1..4
///   sim_n = Σ_g min(h(g), r(g)) r(g) / (|h| |r|) · exp(-(length(h) - length(r))² / 72)
///   score = 10 · mean over instances, references and n of sim_n
///
/// The length is the number of bigrams, as in the reference implementation. Tokens are `caption_tokens`.
/// Throws Error if `corpus` is empty.
[[nodiscard]] double cider(const Corpus& corpus);

}  // namespace preamble::metrics
