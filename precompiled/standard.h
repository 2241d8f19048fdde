// What most sources include, precompiled once a target. A source still includes all that it uses: every target compiles
// without this header, too (-Db_pch=false). JSON and CLI11 are left out: loading them costs the files that do not use them
// more than it saves in the others. There is no include guard, because g++ warns of `#pragma once` in the header that it
// precompiles.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
