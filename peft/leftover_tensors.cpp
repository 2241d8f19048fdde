#include "peft/leftover_tensors.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "peft/adapter_names.h"
#include "peft/head_file.h"

namespace preamble {
namespace {

/// Tasks whose adapters may hold a head.
bool has_head(const PeftConfig& config) {
  return config.extra.contains(std::string(kTaskKey)) || config.task_type == "SEQ_CLS" || config.task_type == "TOKEN_CLS" ||
         config.task_type == "QUESTION_ANS";
}

}  // namespace

void warn_of_leftovers(const TensorArchive& archive, const PeftConfig& config, const std::function<bool(std::string_view name)>& read, const Warn& warn) {
  const bool with_head = has_head(config);
  std::vector<std::string> others;
  std::ranges::copy_if(archive.names(), std::back_inserter(others), [&](const std::string& name) {
    // the head's reader says which of its tensors are left over
    return !read(name) && !is_untrained_copy(name) && !(with_head && head_tensor_name(name));
  });
  if (others.empty() || !warn) return;
  warn(fmt::format("{}: {} other tensor(s) that nothing reads, the first is '{}'", archive.folder().string(), others.size(), others[0]));
}

}  // namespace preamble
