// What most sources include of the standard library, and fmt, precompiled once a library (of kernels: once an instruction set). A source still
// includes all that it uses and compiles without this header, too (-Db_pch=false). There is no include guard, because g++ warns of
// `#pragma once` in the header that it precompiles.

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
