#include "tools/train_method.h"

namespace preamble {

void add_options(CLI::App& command, MethodOptions& o) {
  const auto group = [](CLI::Option* option) { return option->group("Prefix and P-tuning"); };
  group(command.add_flag("--prefix-projection", o.prefix_projection,
                         "prefix: train a small network that computes the prefix; it is folded when the adapter is saved"));
  group(command
            .add_option("--encoder-hidden-size", o.encoder_hidden_size,
                        "hidden width of the network of a prefix or of P-tuning; 0: the width of its rows")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--encoder-reparameterization-type", o.encoder_reparameterization_type, "ptuning: kind of network, MLP or LSTM")
            ->check(CLI::IsMember({"MLP", "LSTM"}))
            ->capture_default_str());
  group(command.add_option("--encoder-num-layers", o.encoder_num_layers, "ptuning: number of LSTM layers")
            ->check(CLI::Range(1, 64))
            ->capture_default_str());
  group(command
            .add_option("--encoder-dropout", o.encoder_dropout,
                        "ptuning: dropout rate between the layers of the LSTM; the MLP has no dropout")
            ->check(CLI::Range(0.0, 0.99))
            ->capture_default_str());
  group(command
            .add_option(
                "--prefix-sites", o.prefix_sites,
                "prefix: attention sites that get one, of encoder_self, decoder_self, cross, separated by commas (default: the decoder's "
                "self-attention, saved in PEFT's layout)")
            ->delimiter(',')
            ->check(CLI::IsMember({"encoder_self", "decoder_self", "cross"})));
  group(
      command
          .add_option("--prefix-layers", o.prefix_layers, "prefix: numbers of the layers that get one, separated by commas (default: all)")
          ->delimiter(',')
          ->check(CLI::NonNegativeNumber));
  group(command
            .add_option(
                "--prefix-positions", o.prefix_positions,
                "with --prefix-sites: shifted (positions of tokens start behind the prefix; default of models with one stack) or unshifted")
            ->check(CLI::IsMember({"shifted", "unshifted"})));
  group(command
            .add_option(
                "--placement", o.placement,
                "where virtual tokens stand: prefix (in front) or infix (between source and target of a decoder-only model; saved in a "
                "layout of our own, because PEFT has none)")
            ->check(CLI::IsMember({"prefix", "infix"}))
            ->capture_default_str());
  group(command
            .add_option(
                "--prefix-init", o.prefix_init,
                "prefix: initial values: random, zero, text (keys and values that the model computes for --prefix-init-text) or adapter")
            ->check(CLI::IsMember({"random", "zero", "text", "adapter"}))
            ->capture_default_str());
  group(command.add_option("--prefix-init-std", o.prefix_init_std, "prefix: standard deviation of random initial values")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str());
  group(command.add_option("--prefix-init-text", o.prefix_init_text, "prefix: text for --prefix-init text"));
}

void add_options(CLI::App& command, LoraConfig& o) {
  const auto group = [](CLI::Option* option) { return option->group("LoRA"); };
  group(command
            .add_option("--lora-r", o.r,
                        "rank of the additions to linear maps: for --method lora, and beside another method if it is given")
            ->check(CLI::Range(1, 1 << 16))
            ->capture_default_str());
  group(command.add_option("--lora-alpha", o.alpha, "the additions are multiplied by this over the rank")->capture_default_str());
  group(command.add_option("--lora-dropout", o.dropout, "dropout rate of what the additions read")
            ->check(CLI::Range(0.0, 0.99))
            ->capture_default_str());
  group(command
            .add_option("--target-modules", o.target_modules,
                        "maps that get an addition, by the last part of their names, separated by commas; or all-linear (default: PEFT's, "
                        "mostly the maps of queries and values)")
            ->delimiter(','));
  group(command.add_flag("--use-rslora", o.use_rslora, "divide by the root of the rank instead"));
}

}  // namespace preamble
