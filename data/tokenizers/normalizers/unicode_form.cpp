#include "data/tokenizers/normalizers/unicode_form.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/utf8.h"

namespace preamble {
namespace {

using Step = AlignedText::Step;
using Steps = std::vector<Step>;

/// Sorts each run of marks by combining class (the Unicode Standard, section 3.11, D109).
void reorder_marks(Steps& steps) {
  const auto is_starter = [](const Step& step) { return combining_class(step.c) == 0; };
  for (auto begin = steps.begin(); begin != steps.end();) {
    const auto end = std::find_if(begin, steps.end(), is_starter);
    std::stable_sort(begin, end, [](const Step& a, const Step& b) { return combining_class(a.c) < combining_class(b.c); });
    begin = end == steps.end() ? end : end + 1;
  }
}

[[nodiscard]] Steps decomposed(const std::string& text, bool compatibility) {
  Steps steps;
  std::u32string parts;
  for (const char32_t c : decode_utf8(text)) {
    parts.clear();
    if (compatibility) {
      append_compatibility_decomposition(c, parts);
    } else {
      append_decomposition(c, parts);
    }
    for (std::size_t i = 0; i < parts.size(); ++i) steps.push_back({parts[i], i > 0 ? 1 : 0});
  }
  reorder_marks(steps);
  return steps;
}

/// Canonical composition (section 3.11, D117): a character joins the last starter unless something between them blocks it.
[[nodiscard]] Steps recomposed(const Steps& steps) {
  Steps out;
  std::optional<std::size_t> starter;
  std::uint8_t last_class = 0;  // of what stands behind the starter; 0: nothing does
  for (const Step& step : steps) {
    const std::uint8_t own_class = combining_class(step.c);
    const bool adjacent = starter && *starter + 1 == out.size();
    if (starter && (adjacent || last_class < own_class)) {
      if (const char32_t joint = composed(out[*starter].c, step.c); joint != 0) {
        out[*starter] = {joint, out[*starter].change + step.change - 1};
        continue;
      }
    }
    if (own_class == 0) starter = out.size();
    last_class = own_class;
    out.push_back(step);
  }
  return out;
}

}  // namespace

void normalize_form(UnicodeForm form, AlignedText& text) {
  const bool ascii = std::all_of(text.text().begin(), text.text().end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return;
  Steps steps = decomposed(text.text(), form == UnicodeForm::nfkc || form == UnicodeForm::nfkd);
  if (form == UnicodeForm::nfc || form == UnicodeForm::nfkc) steps = recomposed(steps);
  text.rewrite(steps);
}

}  // namespace preamble
