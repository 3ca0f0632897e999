#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cluster/collectives/allreduce.h"
#include "cluster/trace/trace.h"
#include "cluster/world.h"
#include "core/compile/losses/losses.h"
#include "core/compile/metrics/metrics.h"
#include "core/compile/optimizers/optimizer.h"
#include "core/data/dataset.h"
#include "core/data/names.h"
#include "core/exchange/options.h"
#include "core/layers/layers.h"
#include "core/math/window.h"
#include "core/network/arithmetic.h"
#include "core/network/dtype_policy.h"
#include "core/training/callbacks.h"

namespace lockstep {

struct JobShape;
struct ModelState;
struct TrainingPlan;

/// What check_rows() has seen in a data set, on every rank the same.
struct RowFacts {
  std::int64_t rows = 0;
  double weight = 0;                       ///< sum of the sample weights
  std::vector<std::int64_t> classes = {};  ///< rows of each class; empty where the loss has none
};

struct CompileOptions {
  LossSpec loss = MeanSquaredError{};
  OptimizerSpec optimizer = RMSprop{};
  std::vector<MetricSpec> metrics = {};  ///< those of Keras' weighted_metrics are weighted(metric)
  Reduction reduction = Reduction::sum_over_batch_size;
};

struct FitOptions {
  std::int64_t epochs = 1;       ///< index of the last epoch + 1, as in Keras; this or an initial_ one below 0: Error (kUsage)
  std::int64_t batch_size = 32;  ///< of all ranks together; below 1: Error (kUsage)
  const Dataset* validation_data = nullptr;
  double validation_split =
      0;  ///< this fraction of the rows, the last ones, validates, ignored with validation_data; leaves no row: Error (kUsage)
  bool shuffle = true;  ///< anew in every epoch, within logical shards; false: in the order of the file, and `shards` is ignored
  std::int64_t initial_epoch = 0;
  // To go on in the middle of an epoch: the step of the initial epoch that is next, its sums so far and what callbacks remembered, by name.
  std::int64_t initial_step = 0;  ///< beyond the steps of an epoch, or sums that are not of this model's metrics: Error (kUsage)
  const EpochSums* initial_sums = nullptr;
  std::map<std::string, std::string> callback_states = {};
  std::map<std::int64_t, float> class_weight = {};  ///< class -> weight of its rows in the training loss; 1 where missing
  std::int64_t shards = 0;                          ///< logical shards V; 0: batch_size, at most 1024 (sampler.h); below 0: Error (kUsage)
  int threads = 0;  ///< OpenMP threads of this rank; 0: OMP_NUM_THREADS, else a fair share of the cores (placement.h)
  AllreduceAlgorithm allreduce = AllreduceAlgorithm::automatic;
  const TrainingPlan* plan = nullptr;  ///< from Sequential::plan() with these options and data; null: fit() makes it. One of other ranks,
                                       ///< rows, batches or another exchange: Error (kUsage)
  ExchangeKind exchange = ExchangeKind::automatic;
  /// The same bits of weights and metrics at every number of ranks on any hosts, by factors and, where those of a batch are larger than a
  /// kernel, by gradients summed in one tree over grains. With a forced allreduce or exchange of gradients, or CPUs that compute otherwise:
  /// Error (kUsage).
  bool reproducible = false;
  ExchangeProgress progress = ExchangeProgress::automatic;  ///< of sums of gradients, beside backward
  /// Features that are not finite, in training or validation, are an Error that names row and column. A loss that is not finite, on any
  /// rank, ends fit() with an AgreedError that names rank and step (Keras: TerminateOnNaN).
  bool stop_on_nan = false;
  std::vector<Callback*> callbacks = {};
  bool rows_checked = false;  ///< check_rows() has passed for training and validation data: fit() does not call it again
  Trace* trace = nullptr;     ///< where this rank's spans go (cluster/trace/trace.h); null: none are taken
  int verbose = 1;            ///< 0 silent, 1 progress bar on a terminal and a line an epoch elsewhere, 2 a line an epoch; rank 0 prints
};

/// Loss and metrics of evaluate(), in declared order, loss first.
struct Scores {
  std::vector<std::pair<std::string, double>> values;
  std::vector<std::int64_t> confusion = {};  ///< rows of class t that the model takes for class p, at [t * classes + p]; empty if not asked
                                             ///< for
  /// Value by name; an unknown name is an Error that lists the names.
  double operator[](const std::string& name) const;
};

/// A weight of a built model; `values` views the model's own memory in Keras' layout.
struct WeightView {
  std::string layer;  ///< layer name
  std::string name;   ///< "kernel", "bias", "mean", "variance"
  Shape shape;
  bool trainable;
  std::span<float> values;
};

/// A product y = f(x W + b) of a layer, on `repeat` vectors of `in` floats per row; or a convolution of a row of `in` floats.
struct LayerProduct {
  std::int64_t in = 0, out = 0, repeat = 1;
  bool bias = true;
  ActivationFunction activation = linear;
  std::optional<ConvolutionShape> convolution = {};
};

/// A stack of layers, Keras' Sequential (keras/src/models/sequential.py): user code adds layers, compiles and fits. Every rank of a World
/// holds the same model and calls the same members.
class Sequential {
 public:
  Sequential(std::initializer_list<LayerSpec> layers = {}, std::string name = "sequential");
  explicit Sequential(std::vector<LayerSpec> layers, std::string name = "sequential");
  ~Sequential();
  Sequential(Sequential&&) noexcept;
  Sequential& operator=(Sequential&&) noexcept;

  /// A layer after the ones there are. A duplicate name, a second Input or one that is not first: Error (kUsage).
  void add(LayerSpec layer);
  /// Seed of initial weights, dropout and shuffling; before the model is built. Default 0.
  void set_seed(std::uint64_t seed);
  std::uint64_t seed() const;
  /// What products are computed in, in training as in evaluate and predict; a saved model says it, its weights are float32. Default
  /// float32.
  void set_dtype_policy(DtypePolicy policy);
  DtypePolicy dtype_policy() const;
  /// What computes layers, in training as in evaluate and predict; models do not say it. Default onednn.
  void set_arithmetic(Arithmetic arithmetic);
  Arithmetic arithmetic() const;

  /// Creates the weights for samples of this shape, once; needed only when there is no Input layer and before fit, evaluate, predict do it.
  void build(const Shape& sample_shape);
  bool built() const;
  void compile(CompileOptions options);
  bool compiled() const;
  /// The Error (kUsage) that fit and evaluate would throw about this data set: no rows or no truth, rows of another shape than the model
  /// takes, truth that does not fit its loss and metrics. Reads no rows; builds the model if it is not built.
  void check(const Dataset& data);
  /// The AgreedError of fit() and evaluate() about the rows of a data set that passes check(). Refused are truth that the loss cannot take
  /// (truth_flaw), a weight that is negative, NaN or inf, and weights that are all 0. Truth of a row of weight 0, its own or its class's,
  /// may be anything. Each rank reads truth and weight of a part of the rows. Collective.
  RowFacts check_rows(const Dataset& data, const World& world = World(), const std::map<std::int64_t, float>& class_weight = {});
  /// What is allowed but seldom meant: a loss and a last activation that do not belong together. A sentence each; the model is compiled and
  /// built.
  std::vector<std::string> cautions() const;

  /// Trains; a step's loss and gradient are means over the rows of the global batch. Collective, and so are its Errors: see check() and
  /// FitOptions.
  History fit(const Dataset& train, const FitOptions& options, const World& world = World());
  /// What fit() with these options will do (core/training/plan.h); FitOptions::plan makes it do exactly that. Reads no rows. Decides an
  /// automatic dtype policy. Throws fit()'s Errors, except those about rows. Collective.
  TrainingPlan plan(const Dataset& train, const FitOptions& options, const World& world = World());
  /// The same for one rank of any job, as far as it is known without its ranks (outline_plan). Not collective. A model that is not
  /// compiled, or options that exclude each other: Error (kUsage).
  TrainingPlan plan(const Dataset& train, const FitOptions& options, const JobShape& job);
  /// Loss and metrics of every row exactly once. Features that are not finite are an AgreedError that names row and column. Collective.
  /// `confusion`: also of every pair of classes(), which must not be 0.
  Scores evaluate(const Dataset& data, const World& world = World(), bool confusion = false);
  /// Classes that rows are told apart in, by the loss: as many as outputs, 2 of one output, 0 if the loss has none. Built and compiled
  /// models only.
  std::int64_t classes() const;
  /// Outputs (rows, output width) of all rows in order, on every rank. Collective.
  std::vector<float> predict(const Dataset& data, const World& world = World());
  /// Class of every row: the index of the largest output, or output > 0.5 where there is one output. Collective.
  std::vector<std::int64_t> predict_classes(const Dataset& data, const World& world = World());

  /// Keras' table of layers, shapes and parameters; `columns`: width of the terminal.
  std::string summary(int columns = 80) const;

  /// What classes and columns of the data are called for which the model was made. Model files and checkpoints keep them;
  /// Hdf5Options::names brings other data into their order. Training does not set them: model.set_names(train.names()).
  void set_names(DataNames names);
  const DataNames& names() const;

  const std::string& name() const;
  const std::vector<LayerSpec>& layers() const;
  /// By name; an unknown one is an Error (kUsage) that lists the names.
  const LayerSpec& get_layer(const std::string& name) const;
  /// Per layer (index into layers()): shape of its output. Built models only.
  const Shape& output_shape(std::size_t layer) const;
  const Shape& input_shape() const;
  std::int64_t output_width() const;
  /// The last activation on the way to the output: what outputs mean. Built models only.
  ActivationFunction output_activation() const;
  /// The products of its layers, first to last. Built models only.
  std::vector<LayerProduct> products() const;

  /// All weights in Keras' order (layer by layer; kernel, bias; mean, variance), views of the model's memory.
  std::vector<WeightView> weights();
  /// Copies, in the order of weights().
  std::vector<std::vector<float>> get_weights();
  /// A wrong number of arrays or a wrong length is an Error that names the weight, expected and found.
  void set_weights(const std::vector<std::vector<float>>& values);
  /// XXH64 over all weights' bytes, little-endian floats in the order of weights(): what Python's
  /// xxhash.xxh64(b"".join(w.tobytes() for w in model.get_weights())) says of the saved model.
  std::uint64_t digest();

  const CompileOptions& compile_options() const;
  /// The optimizer's state; null before compile and build. Slot values follow trainable weights through optimizer_view().
  Optimizer* optimizer();
  /// Slot `slot` of a trainable weight (index among the trainable ones of weights()); empty: it has none (Optimizer::slot_shape).
  std::span<float> optimizer_view(std::size_t slot, std::size_t trainable_weight);

 private:
  std::unique_ptr<ModelState> state_;
};

}  // namespace lockstep
