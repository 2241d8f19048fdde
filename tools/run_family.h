// What `preamble run` needs of each family of models.
#pragma once

#include <cstddef>

#include "models/causal_batch.h"
#include "models/heads/headed_encoder.h"
#include "models/seq2seq_batch.h"
#include "peft/method.h"
#include "tools/run_command.h"
#include "tools/run_tensors.h"

namespace preamble {

// The batch of the input file.

[[nodiscard]] Seq2SeqBatch read_batch(const EncoderDecoder& model, const RunInputs& inputs);
[[nodiscard]] CausalBatch read_batch(const CausalLm& model, const RunInputs& inputs);
[[nodiscard]] EncoderBatch read_batch(const HeadedEncoder& model, const RunInputs& inputs);

[[nodiscard]] bool has_labels(const Seq2SeqBatch& batch);
[[nodiscard]] bool has_labels(const CausalBatch& batch);
[[nodiscard]] bool has_labels(const EncoderBatch& batch);

[[nodiscard]] std::size_t sequences_of(const Seq2SeqBatch& batch);
[[nodiscard]] std::size_t sequences_of(const CausalBatch& batch);
[[nodiscard]] std::size_t sequences_of(const EncoderBatch& batch);

// Sequences [begin, end) of a batch; of examples with choices examples.

[[nodiscard]] Seq2SeqBatch part_of(const Seq2SeqBatch& batch, std::size_t begin, std::size_t end);
[[nodiscard]] CausalBatch part_of(const CausalBatch& batch, std::size_t begin, std::size_t end);
[[nodiscard]] EncoderBatch part_of(const EncoderBatch& batch, std::size_t begin, std::size_t end);

// What holds both.

[[nodiscard]] Seq2SeqCapacity larger_of(const Seq2SeqCapacity& a, const Seq2SeqCapacity& b);
[[nodiscard]] CausalCapacity larger_of(const CausalCapacity& a, const CausalCapacity& b);
[[nodiscard]] EncoderCapacity larger_of(const EncoderCapacity& a, const EncoderCapacity& b);

// What a forward pass computes: logits (or features), and the loss where the batch has labels.

void add_results(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqBatch& batch);
void add_results(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalBatch& batch);
void add_results(const HeadedEncoder& model, Graph& graph, const Conditioning& conditioning, const EncoderBatch& batch);

// The same as the tensors of the output file, but for the loss.

void write_results(const EncoderDecoder& model, const Session& session, const Seq2SeqBatch& batch, const RunInputs& inputs, Named& results);
void write_results(const CausalLm& model, const Session& session, const CausalBatch& batch, const RunInputs& inputs, Named& results);
void write_results(const HeadedEncoder& model, const Session& session, const EncoderBatch& batch, const RunInputs& inputs, Named& results);

// Result `sequences`.

void run_generate(EncoderDecoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);
void run_generate(CausalLm& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);
/// Throws UnsupportedError for an encoder that fills no blanks.
void run_generate(const HeadedEncoder& model, const Method& method, const RunArguments& args, const RunInputs& inputs, Named& results);

}  // namespace preamble
