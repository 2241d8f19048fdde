// A CPU backend whose memory the host cannot touch: it stands for a device in tests.
#pragma once

#include "engine/backend/backend.h"

namespace preamble {

/// As `cpu_backend()`, but arena, leaves and row layouts are copies that are inaccessible except while a program runs or something is
/// copied. Whoever reads a value that was not fetched, or writes an input past its staging memory, dies of SIGSEGV. Whoever reads a leaf that
/// a program has updated without `download` sees NaN; a run throws DeviceError, with the leaf's name, if the host has written to one without
/// `upload`. Arenas begin as NaN.
[[nodiscard]] const Backend& guarded_backend();

}  // namespace preamble
