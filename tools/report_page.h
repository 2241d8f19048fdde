// The page that `inspect --report` writes: one file that a browser shows without a network.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

/// The facts of `report_facts` as HTML, with tables, and charts as SVG.
[[nodiscard]] std::string report_page(const nlohmann::ordered_json& facts);

}  // namespace preamble
