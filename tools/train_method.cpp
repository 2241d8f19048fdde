#include "tools/train_method.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/labels.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "models/causal_lm.h"
#include "models/encoder_decoder.h"
#include "peft/adapter_file.h"
#include "peft/head_file.h"
#include "peft/initialise_prefix.h"
#include "peft/native_prefix.h"
#include "peft/native_prompt.h"
#include "peft/p_tuning.h"
#include "peft/prefix_tuning.h"
#include "tools/train_command.h"

namespace preamble {
namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

constexpr const char* kEncoderFile = "reparametrisation.safetensors";

bool decoder_only(const LanguageModel& model) { return dynamic_cast<const CausalLm*>(&model) != nullptr; }

/// A decoder or an encoder: one site, one submodule.
bool one_stack(const LanguageModel& model) { return dynamic_cast<const EncoderDecoder*>(&model) == nullptr; }

/// PEFT's layout holds neither sites nor a choice of layers nor an infix.
bool native(const TrainArguments& args) {
  const MethodOptions& options = args.method_options;
  return !options.prefix_sites.empty() || !options.prefix_layers.empty() || options.infix();
}

Placement placement_of(const TrainArguments& args) { return args.method_options.infix() ? Placement::infix : Placement::prefix; }

std::unique_ptr<Method> make_prompt(const TrainArguments& args, const TextTask& task, LanguageModel& model, const Tokenizer& tokenizer) {
  PromptInit init = args.init;
  init.seed = args.seed;
  // rows of the embedding behind the vocabulary were never trained
  init.population = std::min(init.population, static_cast<std::int64_t>(tokenizer.size()));
  init.kind = prompt_init_of(prompt_init_name(args, task));
  if (task.classifies()) init.labels = LabelMap::parse(task.labels).words();
  if (init.kind == PromptInitKind::adapter) {
    require<ConfigError>(args.init_adapter.has_value(), "--prompt-tuning-init adapter: wanted --init-adapter DIR with it");
    const auto& from = *args.init_adapter;
    init.rows = NativePrompt::is_in(from) ? NativePrompt::read(from, model.embedding_width()).slot.embeddings
                                          : read_prompt(from, PeftConfig::read(from), model.embedding_width()).embeddings;
  }
  Tensor prompt = initial_prompt(init, model.embedding(), tokenize_with(tokenizer));
  if (submodules_of(args, model) == 2) {
    // PEFT's layout for encoder-decoders has as many rows again, which nobody reads
    Tensor doubled(Dtype::f32, {2 * init.tokens, model.embedding_width()});
    std::ranges::copy(std::as_const(prompt).values<float>(), doubled.values<float>().begin());
    prompt = doubled;
  }
  return std::make_unique<PromptTuning>(std::vector{PromptSlot{prompt, init.tokens}}, placement_of(args));
}

std::unique_ptr<Method> make_p_tuning(const TrainArguments& args, const LanguageModel& model) {
  const MethodOptions& options = args.method_options;
  EncoderShape shape;
  shape.kind = options.encoder_reparameterization_type == "LSTM" ? EncoderKind::lstm : EncoderKind::mlp;
  shape.rows = args.init.tokens * submodules_of(args, model);
  shape.width = shape.output = model.embedding_width();
  shape.hidden = options.encoder_hidden_size > 0 ? options.encoder_hidden_size : model.embedding_width();
  shape.layers = options.encoder_num_layers;
  shape.dropout = options.encoder_dropout;
  if (shape.dropout > 0 && shape.kind == EncoderKind::mlp)
    fmt::print(stderr, "note: --encoder-dropout {} is of an LSTM's layers; the MLP ignores it, as PEFT's does\n", shape.dropout);
  return std::make_unique<PTuning>(std::vector{EncodedPrompt{PromptEncoder::random(shape, args.seed), args.init.tokens}},
                                   placement_of(args));
}

/// The prefix from which another one starts.
PrefixSlot prefix_of(const std::filesystem::path& folder, LanguageModel& model) {
  const auto method = open_adapters({folder}, model);
  const auto* prefix = dynamic_cast<const PrefixTuning*>(method.get());
  require<ConfigError>(prefix != nullptr, "--init-adapter {}: holds a prompt; wanted a prefix", folder.string());
  return prefix->slots().front();
}

class PrefixMaker {
 public:
  PrefixMaker(const TrainArguments& args, LanguageModel& model, const Tokenizer& tokenizer)
      : args_(args), options_(args.method_options), model_(model) {
    init_.kind = prefix_init_of(options_.prefix_init);
    init_.tokens = args.init.tokens;
    init_.deviation = options_.prefix_init_std;
    init_.seed = args.seed;
    if (init_.kind == PrefixInitKind::text) init_.text = tokenize_with(tokenizer)(options_.prefix_init_text);
    if (init_.kind == PrefixInitKind::adapter) {
      require<ConfigError>(args.init_adapter.has_value(), "--prefix-init adapter: wanted --init-adapter DIR with it");
      other_ = prefix_of(*args.init_adapter, model);
    }
  }

  [[nodiscard]] std::unique_ptr<Method> make() {
    PrefixSlot slot;
    const Site own = model_.prefix_site();
    if (!native(args_)) {
      const std::int64_t layers = model_.attention_shape(own).layers;
      slot.emplace(own, table(own, layers, pairs_of_layers(layers, submodules_of(args_, model_)), {}));
      return std::make_unique<PrefixTuning>(std::vector{std::move(slot)}, PrefixPositions{.shifted = true, .relative = true});
    }
    const auto& given = options_.prefix_sites;
    for (const auto& name : given.empty() ? std::vector{std::string(name_of(own))} : given) {
      const Site site = site_of(name);
      require<ConfigError>(site == own || !one_stack(model_), "--prefix-sites {}: the model has no such attention; wanted {}", name,
                           name_of(own));
      std::map<std::int64_t, std::int64_t> pairs;
      const std::int64_t count = model_.attention_shape(site).layers;
      for (std::int64_t layer = 0; layer < count; ++layer) {
        if (conditioned(layer)) pairs.emplace(layer, static_cast<std::int64_t>(pairs.size()));
      }
      require<ConfigError>(!pairs.empty(), "--prefix-layers {}: '{}' has none of them; wanted layers below {}",
                           fmt::join(options_.prefix_layers, ","), name, count);
      slot.emplace(site, table(site, static_cast<std::int64_t>(pairs.size()), pairs, name + "."));
    }
    return std::make_unique<PrefixTuning>(std::vector{std::move(slot)},
                                          PrefixPositions{.shifted = shifted(), .placement = placement_of(args_)});
  }

 private:
  [[nodiscard]] bool shifted() const {
    return options_.prefix_positions.empty() ? one_stack(model_) : options_.prefix_positions == "shifted";
  }
  [[nodiscard]] bool conditioned(std::int64_t layer) const {
    return options_.prefix_layers.empty() || std::ranges::find(options_.prefix_layers, layer) != options_.prefix_layers.end();
  }

  [[nodiscard]] SitePrefixTable table(Site site, std::int64_t pairs, const std::map<std::int64_t, std::int64_t>& pair_of_layer,
                                      const std::string& names) {
    if (const auto found = other_.find(site); found != other_.end()) init_.adapter = &found->second;
    SitePrefixTable result = initial_prefix(init_, model_, site, pairs, pair_of_layer);
    init_.adapter = nullptr;
    result.names = names;
    if (options_.prefix_projection) {
      const std::int64_t width = result.heads * result.head_dim;
      const std::int64_t hidden = options_.encoder_hidden_size > 0 ? options_.encoder_hidden_size : width;
      PromptEncoder encoder = PromptEncoder::random({EncoderKind::projection, init_.tokens, width, hidden, pairs * 2 * width, 0},
                                                    args_.seed + static_cast<std::uint64_t>(site));
      if (init_.kind != PrefixInitKind::random) encoder.fit(result.packed().rows);
      result.source = std::move(encoder);
    } else if (native(args_)) {
      result.source = result.unpacked();
    }
    return result;
  }

  const TrainArguments& args_;
  const MethodOptions& options_;
  LanguageModel& model_;
  PrefixInit init_;
  PrefixSlot other_;
};

PeftConfig config_of(const TrainArguments& args, PeftType type, std::int64_t tokens, const LanguageModel& model) {
  PeftConfig config;
  config.peft_type = type;
  // an encoder's is that of its head
  if (decoder_only(model)) config.task_type = "CAUSAL_LM";
  if (!one_stack(model)) config.task_type = "SEQ_2_SEQ_LM";
  config.base_model_name_or_path = args.model.string();
  config.num_virtual_tokens = tokens;
  config.num_transformer_submodules = submodules_of(args, model);
  config.prefix_projection = args.method_options.prefix_projection;
  if (args.method_options.encoder_hidden_size > 0) config.encoder_hidden_size = args.method_options.encoder_hidden_size;
  config.encoder_reparameterization_type = args.method_options.encoder_reparameterization_type;
  config.encoder_num_layers = args.method_options.encoder_num_layers;
  config.encoder_dropout = args.method_options.encoder_dropout;
  return resolved(std::move(config), model);
}

void save_peft(const TrainArguments& args, const std::filesystem::path& folder, PeftType type, const PromptSlot& rows,
               const LanguageModel& model, const SavedHead& head) {
  Named tensors = {{std::string(PromptTuning::kEmbeddings), rows.embeddings}};
  PeftConfig config = config_of(args, type, rows.tokens, model);
  if (head.head != nullptr) add_head(*head.encoder, *head.head, config, tensors);
  write_adapter(folder, config, tensors);
}

/// PEFT knows only prompts in front.
void save_prompt(const TrainArguments& args, const std::filesystem::path& folder, PeftType type, const PromptSlot& rows,
                 const LanguageModel& model, const SavedHead& head) {
  if (args.method_options.infix()) {
    NativePrompt{rows}.write(folder);
  } else {
    save_peft(args, folder, type, rows, model, head);
  }
}

void save_prefix(const TrainArguments& args, const std::filesystem::path& folder, const PrefixTuning& prefix, const LanguageModel& model,
                 const SavedHead& head) {
  const PrefixSlot& slot = prefix.slots().front();
  if (native(args)) {
    const PrefixPositions positions = prefix.positions();
    NativePrefix native{slot, positions.shifted, {}, positions.placement};
    if (head.head != nullptr) native.head = head.head->tensors(), native.pooler = head.head->pooler();
    native.write(folder);
  } else {
    const SitePrefixTable& table = slot.at(model.prefix_site());
    save_peft(args, folder, PeftType::prefix_tuning, {table.packed().rows, table.tokens()}, model, head);
  }
}

}  // namespace

void MethodOptions::add_to(CLI::App& command) {
  const auto group = [](CLI::Option* option) { return option->group("Prefix and P-tuning"); };
  group(command.add_flag("--prefix-projection", prefix_projection, "prefix: train a small network that computes the prefix"));
  group(command.add_option("--encoder-hidden-size", encoder_hidden_size, "of that network, or of P-tuning's; 0: as wide as the rows")
            ->check(CLI::NonNegativeNumber));
  group(command.add_option("--encoder-reparameterization-type", encoder_reparameterization_type, "ptuning: MLP or LSTM")
            ->check(CLI::IsMember({"MLP", "LSTM"}))
            ->capture_default_str());
  group(command.add_option("--encoder-num-layers", encoder_num_layers, "ptuning: layers of the LSTM")
            ->check(CLI::Range(1, 64))
            ->capture_default_str());
  group(command.add_option("--encoder-dropout", encoder_dropout, "ptuning: rate between the layers of the LSTM; the MLP has none")
            ->check(CLI::Range(0.0, 0.99))
            ->capture_default_str());
  group(command
            .add_option("--prefix-sites", prefix_sites,
                        "prefix: encoder_self, decoder_self, cross; not given: the decoder's self-attention, in PEFT's layout")
            ->delimiter(',')
            ->check(CLI::IsMember({"encoder_self", "decoder_self", "cross"})));
  group(command.add_option("--prefix-layers", prefix_layers, "with --prefix-sites: these layers alone")
            ->delimiter(',')
            ->check(CLI::NonNegativeNumber));
  group(command
            .add_option(
                "--prefix-positions", prefix_positions,
                "with --prefix-sites: shifted (the first token stands behind the prefix; default of decoder-only models) or unshifted")
            ->check(CLI::IsMember({"shifted", "unshifted"})));
  group(
      command
          .add_option("--placement", placement,
                      "prompt, ptuning, prefix: prefix (in front) or infix (between source and target of a decoder-only model; PEFT has no "
                      "file for it)")
          ->check(CLI::IsMember({"prefix", "infix"}))
          ->capture_default_str());
  group(command.add_option("--prefix-init", prefix_init, "random, zero, text (what the model computes for words) or adapter")
            ->check(CLI::IsMember({"random", "zero", "text", "adapter"}))
            ->capture_default_str());
  group(command.add_option("--prefix-init-std", prefix_init_std, "for random")->check(CLI::NonNegativeNumber)->capture_default_str());
  group(command.add_option("--prefix-init-text", prefix_init_text, "for text"));
}

std::string MethodOptions::fingerprint() const {
  return fmt::format("projection {} hidden {} {} {}{} sites [{}] layers [{}] {}{} init {} {} '{}'", prefix_projection, encoder_hidden_size,
                     encoder_reparameterization_type, encoder_num_layers,
                     encoder_dropout > 0 ? fmt::format(" dropout {}", encoder_dropout) : "", fmt::join(prefix_sites, ","),
                     fmt::join(prefix_layers, ","), prefix_positions, infix() ? " infix" : "", prefix_init, prefix_init_std,
                     prefix_init_text);
}

std::int64_t submodules_of(const TrainArguments& args, const LanguageModel& model) {
  require<ConfigError>(args.submodules < 2 || !one_stack(model), "--num-transformer-submodules {}: a model of one stack has 1",
                       args.submodules);
  if (args.submodules > 0) return args.submodules;
  return args.method == "prefix" && !one_stack(model) ? 2 : 1;
}

std::string prompt_init_name(const TrainArguments& args, const TextTask& task) {
  if (args.method != "prompt") return "none";
  return !args.prompt_tuning_init.empty() ? args.prompt_tuning_init : task.classifies() ? "class_labels" : "sample_vocab";
}

std::unique_ptr<Method> make_method(const TrainArguments& args, const TextTask& task, LanguageModel& model, const Tokenizer& tokenizer) {
  require<ConfigError>(!args.method_options.infix() || decoder_only(model),
                       "--placement infix: stands between source and target; wanted a decoder-only model");
  if (args.method == "prefix") return PrefixMaker(args, model, tokenizer).make();
  if (args.method == "ptuning") return make_p_tuning(args, model);
  return make_prompt(args, task, model, tokenizer);
}

void save_method(const TrainArguments& args, const std::filesystem::path& folder, const Method& method, const LanguageModel& model,
                 const SavedHead& head) {
  bool encoded = args.method == "ptuning";
  if (const auto* prefix = dynamic_cast<const PrefixTuning*>(&method)) {
    save_prefix(args, folder, *prefix, model, head);
    encoded = args.method_options.prefix_projection;
  } else if (const auto* p_tuning = dynamic_cast<const PTuning*>(&method)) {
    save_prompt(args, folder, PeftType::p_tuning, p_tuning->prompts().front().fold(), model, head);
  } else if (const auto* prompt = dynamic_cast<const PromptTuning*>(&method)) {
    save_prompt(args, folder, PeftType::prompt_tuning, prompt->prompts().front(), model, head);
  } else {
    require<ConfigError>(head.head != nullptr, "adapter: a method without tensors and without a head; there is nothing to save");
    NativePrefix{{}, false, head.head->tensors(), Placement::prefix, head.head->pooler()}.write(folder);
  }
  if (!encoded) return;
  Named tensors;
  for (const auto& tensor : method.trainables()) tensors.emplace_back(tensor.name, tensor.value);
  write_safetensors(folder / kEncoderFile, tensors);
}

}  // namespace preamble
