// Keys and values of virtual rows during a generation.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/runtime/session.h"
#include "models/conditioning.h"
#include "models/language_model.h"

namespace preamble {

/// The conditioning of a graph that is gone: slots, layers and positions, no values.
[[nodiscard]] Conditioning conditioning_alone(LanguageModel& model, const Conditioner& conditioner);

/// What the prefixes of some sites add to a decoder's layers: written once by the program that reads the inputs, then read by every
/// step; one copy a slot, whatever the number of sequences and beams.
class PrefixCache {
 public:
  PrefixCache() = default;
  /// Memory for what a conditioning has at these sites.
  PrefixCache(const LanguageModel& model, const Conditioning& conditioning, const std::vector<Site>& sites);

  /// Adds results to the first graph that write the values of its conditioning into the cache.
  void write(Graph& graph, const Conditioning& conditioning) const;
  /// Fills the inputs that `write` added.
  void feed(Session& session) const;

  /// The conditioning of a step: the same, out of the cache.
  [[nodiscard]] Conditioning read(Graph& graph) const;

  [[nodiscard]] std::int64_t bytes() const noexcept;
  /// What `bytes` will be. `conditioning` may belong to another graph.
  [[nodiscard]] static std::int64_t bytes_for(const LanguageModel& model, const Conditioning& conditioning, const std::vector<Site>& sites);

 private:
  struct KeyAndValue {
    Tensor key, value;  ///< [rows of all slots, H·d]
  };
  struct SiteCache {
    std::map<std::int64_t, KeyAndValue> layers;
    SitePrefix prefix;  ///< without values
  };

  std::map<Site, SiteCache> sites_;
  bool shifts_positions_ = false;
  bool relative_positions_ = false;
};

}  // namespace preamble
