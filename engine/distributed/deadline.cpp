#include "engine/distributed/deadline.h"

#include <utility>

namespace preamble {

Deadline::Deadline(std::chrono::milliseconds limit, std::string message) : watchdog_(limit, std::move(message)) { watchdog_.begin(); }

}  // namespace preamble
