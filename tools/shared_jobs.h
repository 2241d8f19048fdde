// Independent jobs of very different lengths, shared out among the ranks while they run.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "engine/distributed/communicator.h"

namespace preamble {

/// Does jobs 0 .. count-1, each once, on whichever rank is free; lower numbers begin first. `work` runs in a thread of its own, one at a time on a rank,
/// and returns what the job gave; it must not use `ranks`, and what it reads must outlive it even where this function throws. `done` is called on all
/// ranks, in the same order, as jobs end; it may call collectives.
///
/// A collective. All ranks hear of each other a few times a second, so that one that hangs is noticed however long its job is. An exception of
/// `work` is thrown on the rank that ran it, once `done` has been called for what was ready; the others wait there until they are ended. On
/// one process `work` runs in the calling thread.
void share_jobs(Communicator& ranks, std::size_t count, const std::function<std::string(std::size_t)>& work,
                const std::function<void(std::size_t, const std::string&)>& done);

}  // namespace preamble
