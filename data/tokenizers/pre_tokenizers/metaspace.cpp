#include "data/tokenizers/pre_tokenizers/metaspace.h"

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {

PrependScheme prepend_scheme_of(const nlohmann::json& value, std::string_view origin) {
  const bool add = value.value("add_prefix_space", true);
  const auto name = value.value("prepend_scheme", add ? "always" : "never");
  require<FileError>(name == "always" || name == "first" || name == "never", "{}: prepend_scheme '{}'; wanted always, first or never", origin,
                     name);
  return name == "always" ? PrependScheme::always : name == "first" ? PrependScheme::first : PrependScheme::never;
}

Metaspace::Metaspace(std::string replacement, PrependScheme scheme, bool split)
    : replacement_(std::move(replacement)),
      scheme_(scheme),
      split_(split),
      space_(Pattern::of_string(" ")),
      mark_(Pattern::of_string(replacement_)) {}

void Metaspace::cut(AlignedText piece, const PreTokenizeOptions& /*options*/, std::vector<AlignedText>& out) const {
  piece.replace(space_.pieces(piece.text()), replacement_);
  const bool wanted = scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && piece.base() == 0);
  if (wanted && !piece.text().starts_with(replacement_)) piece.prepend(replacement_);
  if (split_) {
    const auto marks = mark_.pieces(piece.text());
    append_split(std::move(piece), marks, SplitBehavior::merged_with_next, out);
  } else {
    out.push_back(std::move(piece));
  }
}

}  // namespace preamble
