// Remarks about what was read but not used, or repaired: said once, or an error where the user wants none.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace preamble {

/// Receives each distinct warning of the process once.
using WarningSink = std::function<void(const std::string& message)>;

/// Says `message` (`where: what is there; what is done about it`) once in the process: an equal message is not said again. The default
/// sink prints `warning: MESSAGE` and a line break to standard error. Throws ConfigError with the message in strict mode. Safe for
/// several threads.
void warn(const std::string& message);

/// In strict mode every warning is an error. Off at the start.
void set_strict_warnings(bool strict);
[[nodiscard]] bool strict_warnings();

/// Collects the warnings while it lives, in place of the sink and apart from what was said before; then the former sink takes over. Strict
/// mode is off meanwhile unless `strict`.
class WarningCapture {
 public:
  explicit WarningCapture(bool strict = false);
  ~WarningCapture();
  WarningCapture(const WarningCapture&) = delete;
  WarningCapture& operator=(const WarningCapture&) = delete;

  [[nodiscard]] const std::vector<std::string>& messages() const noexcept { return messages_; }

 private:
  std::vector<std::string> messages_;
  WarningSink former_;
  std::vector<std::string> said_;
  bool strict_;
};

/// Replaces the sink and returns the former one. An empty sink says nothing.
WarningSink set_warning_sink(WarningSink sink);

}  // namespace preamble
