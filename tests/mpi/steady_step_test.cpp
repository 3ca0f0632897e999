// A step in steady state allocates no memory and takes no lock. The functions that do so are replaced in this program, and so in all the
// libraries it loads; each call is put down to the library it came from. Ours must make none. What oneDNN, MPI and OpenMP do inside is
// counted and told apart: it is printed, not judged.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>

#include "core/training/sequential.h"
#include "support/mpi_world.h"
#include "support/random_data.h"

namespace {

constexpr std::size_t kPlaces = 4096;

/// The calls while `on`, by the address they return to. Fixed memory, no lock: it runs inside malloc.
struct Counter {
  std::atomic<bool> on{false};
  std::array<std::atomic<void*>, kPlaces> callers{};
  std::array<std::atomic<std::int64_t>, kPlaces> calls{};

  void count(void* caller) noexcept {
    if (!on.load(std::memory_order_relaxed)) return;
    for (std::size_t i = reinterpret_cast<std::uintptr_t>(caller) % kPlaces, tries = 0; tries < kPlaces; i = (i + 1) % kPlaces, ++tries) {
      void* free = nullptr;
      if (callers[i].compare_exchange_strong(free, caller) || free == caller) {
        ++calls[i];
        return;
      }
    }
  }
  void reset() {
    for (std::size_t i = 0; i < kPlaces; ++i) {
      callers[i] = nullptr;
      calls[i] = 0;
    }
  }
};

constinit Counter allocations, locks;

}  // namespace

#if !defined(LOCKSTEP_SANITIZE)  // the sanitizers replace these themselves

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  allocations.count(__builtin_return_address(0));
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  allocations.count(__builtin_return_address(0));
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  allocations.count(__builtin_return_address(0));
  return __libc_realloc(old, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  allocations.count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  allocations.count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  allocations.count(__builtin_return_address(0));
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static std::atomic<Lock> real{nullptr};
  Lock lock = real.load(std::memory_order_relaxed);
  if (lock == nullptr) real = lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks.count(__builtin_return_address(0));
  return lock(mutex);
}
}

// libstdc++'s would be the callers of malloc.
void* operator new(std::size_t size) {
  allocations.count(__builtin_return_address(0));
  if (void* const memory = __libc_malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  allocations.count(__builtin_return_address(0));
  if (void* const memory = __libc_memalign(static_cast<std::size_t>(alignment), size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { __libc_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __libc_free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { __libc_free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { __libc_free(memory); }

namespace lockstep {
namespace {

using test::labelled_rows;
using test::world;

constexpr std::int64_t kFirst = 10, kSteps = 40;  // steps that are counted, after those that warm up

/// Calls by library, those of ours by function.
struct Calls {
  std::int64_t ours = 0;
  std::map<std::string, std::int64_t> libraries;
  std::string places;  // of ours

  explicit Calls(const Counter& counter) {
    for (std::size_t i = 0; i < kPlaces; ++i) {
      void* const caller = counter.callers[i];
      if (caller == nullptr) continue;
      Dl_info info{};
      const std::string path = dladdr(caller, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "?";
      const std::string library = path.substr(path.rfind('/') + 1);
      libraries[library.substr(0, library.find(".so"))] += counter.calls[i];
      if (library.find("liblockstep") == std::string::npos && library.find("steady_step") == std::string::npos) continue;
      ours += counter.calls[i];
      places += std::string(" ") + (info.dli_sname != nullptr ? info.dli_sname : library.c_str());
    }
  }
};

/// Counts between two steps of the first epoch.
class Window final : public Callback {
 public:
  void on_train_batch_end(const FitState& state) override {
    if (state.step == kFirst) allocations.on = locks.on = true;
    if (state.step == kFirst + kSteps) allocations.on = locks.on = false;
  }
};

struct Case {
  std::string name;
  OptimizerSpec optimizer;
  ExchangeKind exchange = ExchangeKind::factors;
  AllreduceAlgorithm allreduce = AllreduceAlgorithm::automatic;
  int threads = 1;
  bool traced = false;
  DtypePolicy policy = DtypePolicy::float32;
  bool statistics = false;  ///< of the batch, in the middle of a pass
  bool convolutions = false;
};

/// Images of 10 x 20 with one channel, and a class each.
ArrayDataset images(std::int64_t rows) {
  std::vector<float> features(static_cast<std::size_t>(rows * 200)), truth(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = std::sin(static_cast<float>(i % 1000));
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = static_cast<float>(i % 10);
  return ArrayDataset({10, 20, 1}, std::move(features), std::move(truth));
}

class SteadyStep : public testing::TestWithParam<Case> {};

TEST_P(SteadyStep, AllocatesNothingAndTakesNoLock) {
  const auto& [name, optimizer, exchange, allreduce, threads, traced, policy, statistics, convolutions] = GetParam();
  Sequential model;
  if (convolutions) {
    for (const LayerSpec& layer : std::vector<LayerSpec>{
             RandomFlip{}, RandomTranslation{0.1F, 0.1F}, Conv2D{.filters = 6, .kernel_size = 3, .activation = relu}, MaxPooling2D{},
             SeparableConv2D{.filters = 7, .kernel_size = 3, .activation = gelu}, Conv2DTranspose{.filters = 3, .kernel_size = 3},
             PReLU{.shared_axes = {1, 2}}, SpatialDropout2D{0.1F}, GaussianNoise{0.1F}, GaussianDropout{0.1F}, Softmax{{1}}, Flatten{}})
      model.add(layer);
  }
  for (const LayerSpec& layer : std::vector<LayerSpec>{Dense{300, relu}, Dropout{0.1F}, Dense{100, gelu}}) model.add(layer);
  if (statistics) model.add(BatchNormalization{});
  model.add(Dense{10, softmax});
  model.set_dtype_policy(policy);
  MeanIoU iou;
  iou.num_classes = 10;
  iou.sparse_y_pred = false;
  SparseCategoricalCrossentropy loss;
  if (statistics) loss.ignore_class = 3;  // takes a sum over the batch
  model.compile({.loss = loss, .optimizer = optimizer, .metrics = {accuracy, {iou}, weighted(accuracy)}});
  constexpr std::int64_t kRows = 32 * (kFirst + kSteps + 5);
  const ArrayDataset data = convolutions ? images(kRows) : labelled_rows(kRows, 200, 10);
  Window window;
  allocations.reset();
  locks.reset();
  Trace trace(512);
  model.fit(data,
            {.epochs = 1,
             .batch_size = 32,
             .threads = threads,
             .allreduce = allreduce,
             .exchange = exchange,
             .callbacks = {&window},
             .trace = traced ? &trace : nullptr,
             .verbose = 0},
            world());
  ASSERT_FALSE(allocations.on);
  const Calls allocated(allocations), locked(locks);
  EXPECT_EQ(allocated.ours, 0) << "allocations of ours in " << kSteps << " steps:" << allocated.places;
  EXPECT_EQ(locked.ours, 0) << "locks of ours in " << kSteps << " steps:" << locked.places;
  if (world().rank() != 0) return;
  std::string others;
  for (const auto& [library, calls] : allocated.libraries) others += " " + library + " " + std::to_string(calls);
  std::printf("%s: allocations of others in %d steps:%s\n", name.c_str(), static_cast<int>(kSteps),
              others.empty() ? " none" : others.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    All, SteadyStep,
    testing::Values(Case{"sgd_factors", Sgd{}}, Case{"adam_factors", Adam{}}, Case{"clipped", Sgd{.options = {.clipnorm = 1.F}}},
                    Case{"threads", Sgd{}, ExchangeKind::factors, AllreduceAlgorithm::automatic, 2},
                    Case{"shared", Adam{}, ExchangeKind::gradients, AllreduceAlgorithm::shared},
                    Case{"ring", Sgd{}, ExchangeKind::gradients, AllreduceAlgorithm::ring},
                    Case{"mpi", Sgd{}, ExchangeKind::gradients, AllreduceAlgorithm::mpi},
                    Case{"traced", Sgd{}, ExchangeKind::factors, AllreduceAlgorithm::automatic, 1, true},
                    Case{"bfloat16", Sgd{}, ExchangeKind::factors, AllreduceAlgorithm::automatic, 2, false, DtypePolicy::automatic},
                    Case{"statistics", Sgd{}, ExchangeKind::factors, AllreduceAlgorithm::automatic, 1, false, DtypePolicy::float32, true},
                    Case{.name = "convolutions", .optimizer = Adam{}, .threads = 2, .convolutions = true},
                    Case{.name = "convolutions_gradients", .optimizer = Sgd{}, .exchange = ExchangeKind::gradients, .convolutions = true}),
    [](const auto& param) { return param.param.name; });

/// The counter itself: a program that could not see an allocation would pass everything.
TEST(SteadyStep, TheCounterSeesOurAllocationsAndLocks) {
  allocations.reset();
  locks.reset();
  allocations.on = locks.on = true;
  delete[] new volatile char[100];
  std::free(std::malloc(10));
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  Sequential model{Input{{2}}, Dense{1}};  // inside the library
  model.build({2});
  allocations.on = locks.on = false;
  const Calls allocated(allocations);
  EXPECT_GT(allocated.libraries.count("liblockstep"), 0U);
  EXPECT_GT(allocated.ours, 3);
  EXPECT_EQ(Calls(locks).ours, 1);
}

}  // namespace
}  // namespace lockstep

#else

TEST(SteadyStep, IsNotCountedUnderSanitizers) { GTEST_SKIP() << "the sanitizers replace malloc themselves"; }

#endif
