// Normalisation forms of Unicode.
#pragma once

#include <cstdint>

#include "data/tokenizers/normalizers/normalizer.h"

namespace preamble {

/// The forms of the Unicode Standard, annex 15.
enum class UnicodeForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Brings a text into a form. Each character of the result takes as many old ones as it was made of and has the place of the first; the later
/// ones of a decomposition are additions. Marks that are reordered don't take their places along.
void normalize_form(UnicodeForm form, AlignedText& text);

/// `NFC`, `NFD`, `NFKC`, `NFKD`
class UnicodeFormNormalizer final : public Normalizer {
 public:
  explicit UnicodeFormNormalizer(UnicodeForm form) : form_(form) {}
  void normalize(AlignedText& text) const override { normalize_form(form_, text); }

 private:
  UnicodeForm form_;
};

}  // namespace preamble
