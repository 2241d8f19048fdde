// Quantised matrices in safetensors files: bytes, and metadata that says what they are.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/tensor_file.h"
#include "engine/core/tensor.h"

namespace preamble {

/// Key of the metadata: a JSON object whose members are `"NAME": ["NF4_64", rows, columns]`. The tensor NAME is U8 [bytes], laid out as a
/// `StoredMatrix`.
inline constexpr const char* kQuantisedKey = "preamble.quantised";

/// Lets the records that the metadata name be quantised matrices. Throws FileError, beginning with `where`, for metadata of another form, a
/// name without a tensor, or a tensor of other bytes.
void find_quantised(std::vector<TensorRecord>& records, const std::map<std::string, std::string>& metadata, const std::string& where);

/// Quantised tensors become their bytes; the metadata get the entry that undoes it. Others stay.
void store_quantised(std::vector<std::pair<std::string, Tensor>>& tensors, std::map<std::string, std::string>& metadata);

}  // namespace preamble
