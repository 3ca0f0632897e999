// Runs the steps of steps.h by MPI point-to-point, pipelined in segments and, when asked so, without waiting.
//
// A chunk is cut into segments, one message each. A rank's messages have an order: step by step, chunk by chunk, segment by segment.
// Receives are finished in that order, some are posted ahead; a send is started as soon as the receives that its segment depends on are
// finished. So while one segment is being added, the next ones are on the wire, and a step overlaps the one after it. Across hosts segments
// stay below Open MPI's eager limit for TCP: larger messages need a handshake that waits behind the data of the other direction, and the
// link then runs in one direction at a time.
#include <mpi.h>

#include <algorithm>

#include "cluster/clones.h"
#include "cluster/collectives/algorithms.h"
#include "cluster/mpi_call.h"

namespace lockstep {
namespace {

constexpr std::size_t kSegmentBytesOnHost = 1U << 20U;
constexpr std::size_t kSegmentBytesBetweenHosts = 56U << 10U;
constexpr std::size_t kLeastSegment = 4096;  // elements: less is not worth a message of its own
constexpr std::size_t kSlots = 5;            // receives that are posted at a time
constexpr std::size_t kSendsAhead = 32;      // of what has been received: MPI keeps a copy of every small message on its way
constexpr int kTag = 71;

LOCKSTEP_CLONES void add(float* to, const float* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}
LOCKSTEP_CLONES void add(double* to, const double* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

/// False: not complete, and not to be waited for.
bool complete(MPI_Request& request, bool wait) {
  if (request == MPI_REQUEST_NULL) return true;
  if (wait) {
    mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
    return true;
  }
  int done = 0;
  mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
  return done != 0;
}

class MessageAllreduce final : public Allreduce {
 public:
  MessageAllreduce(const World& world, std::string_view name, const AllreduceSteps& steps)
      : name_(name),
        comm_(*static_cast<const MPI_Comm*>(world.communicator())),
        chunks_(steps.chunks),
        segment_bytes_(world.hosts() > 1 ? kSegmentBytesBetweenHosts : kSegmentBytesOnHost),
        scratch_(kSlots * segment_bytes_ / sizeof(double)),
        receive_requests_(kSlots, MPI_REQUEST_NULL) {
    for (const AllreduceStep& step : steps.steps) flatten(step);
  }

  std::string_view name() const override { return name_; }
  std::span<float> allocate(std::size_t count) override { return arena_.allocate(count); }
  void sum(std::span<float> data) override {
    begin(data);
    advance<float>(true);
  }
  void sum(std::span<double> data) override {
    begin(data);
    advance<double>(true);
  }
  bool advances() const override { return true; }
  void start(std::span<float> data) override { begin(data); }
  bool advance() override { return advance<float>(false); }
  void finish() override { advance<float>(true); }

 private:
  /// What becomes of a chunk in a step. `after`: 1 + the last receive of the chunk that a send depends on, or the last send of it that must
  /// be over before it may change; 0: none.
  struct Message {
    int rank;
    std::size_t chunk, after;
    bool adds, paced;
  };

  void flatten(const AllreduceStep& step) {
    const auto last = [](const std::vector<Message>& messages, std::size_t chunk) {
      for (std::size_t i = messages.size(); i > 0; --i) {
        if (messages[i - 1].chunk == chunk) return i;
      }
      return std::size_t{0};
    };
    std::vector<Message> sends;
    for (std::size_t c = step.sent.first; c < step.sent.first + step.sent.count; ++c) {
      sends.push_back({step.to, c, last(receives_, c), false, step.from >= 0});
    }
    sends_.insert(sends_.end(), sends.begin(), sends.end());
    for (std::size_t c = step.received.first; c < step.received.first + step.received.count; ++c) {
      receives_.push_back({step.from, c, last(sends_, c), step.adds, false});
    }
  }

  template <class T>
  void begin(std::span<T> data) {
    data_ = reinterpret_cast<std::byte*>(data.data());
    count_ = data.size();
    chunk_ = (count_ + chunks_ - 1) / chunks_;
    // At least two segments where there is something to overlap.
    segment_ = std::min(segment_bytes_ / sizeof(T), std::max((chunk_ + 1) / 2, kLeastSegment));
    segments_ = (chunk_ + segment_ - 1) / segment_;  // none of an empty buffer
    sent_ = posted_ = received_ = 0;
    send_requests_.assign(sends_.size() * segments_, MPI_REQUEST_NULL);
  }

  /// Elements [first, last) of message k.
  std::pair<std::size_t, std::size_t> piece(const std::vector<Message>& messages, std::size_t k) const {
    const std::size_t chunk = messages[k / segments_].chunk, end = std::min(count_, (chunk + 1) * chunk_);
    const std::size_t first = std::min(end, chunk * chunk_ + k % segments_ * segment_);
    return {first, std::min(end, first + segment_)};
  }
  template <class T>
  T* slot(std::size_t k) {
    return reinterpret_cast<T*>(scratch_.data()) + k % kSlots * (segment_bytes_ / sizeof(T));
  }
  template <class T>
  T* values() const {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  static MPI_Datatype type() {
    return sizeof(T) == sizeof(float) ? MPI_FLOAT : MPI_DOUBLE;
  }
  /// Message number of the same segment in the chunk message `after` stands for.
  std::size_t other(std::size_t after, std::size_t k) const { return (after - 1) * segments_ + k % segments_; }

  /// Goes on as far as it can without waiting, or with `wait` to the end. True: done.
  template <class T>
  bool advance(bool wait) {
    const std::size_t receives = receives_.size() * segments_;
    for (;; ++received_) {
      send_what_is_ready<T>();
      while (posted_ < std::min(receives, received_ + kSlots) && post<T>(posted_, false)) ++posted_;
      if (received_ == receives) break;
      if (!take<T>(received_, wait)) return false;
    }
    return std::all_of(send_requests_.begin(), send_requests_.end(), [&](MPI_Request& request) { return complete(request, wait); });
  }

  template <class T>
  void send_what_is_ready() {
    for (; sent_ < send_requests_.size(); ++sent_) {
      const Message& message = sends_[sent_ / segments_];
      if (message.after > 0 && received_ <= other(message.after, sent_)) return;
      if (message.paced && sent_ >= received_ + kSendsAhead) return;
      const auto [first, last] = piece(sends_, sent_);
      if (first == last) continue;
      mpi(MPI_Isend(values<T>() + first, static_cast<int>(last - first), type<T>(), message.rank, kTag, comm_, &send_requests_[sent_]),
          "MPI_Isend");
    }
  }

  /// Posts receive k: into scratch if it is to be added, else into its place, once what was sent from there has left.
  template <class T>
  bool post(std::size_t k, bool wait) {
    const Message& message = receives_[k / segments_];
    if (!message.adds && !has_left(message, k, wait)) return false;
    const auto [first, last] = piece(receives_, k);
    if (first == last) return true;
    T* const to = message.adds ? slot<T>(k) : values<T>() + first;
    mpi(MPI_Irecv(to, static_cast<int>(last - first), type<T>(), message.rank, kTag, comm_, &receive_requests_[k % kSlots]), "MPI_Irecv");
    return true;
  }

  /// The send that receive k has to wait for is over.
  bool has_left(const Message& message, std::size_t k, bool wait) {
    if (message.after == 0) return true;
    const std::size_t before = other(message.after, k);
    return before < sent_ && complete(send_requests_[before], wait);
  }

  /// Finishes receive k. All receives before it are finished, so that all sends of its step have been started.
  template <class T>
  bool take(std::size_t k, bool wait) {
    const Message& message = receives_[k / segments_];
    if (posted_ == k) {
      if (!post<T>(k, wait)) return false;
      ++posted_;
    }
    if (!complete(receive_requests_[k % kSlots], wait)) return false;
    if (!message.adds) return true;
    if (!has_left(message, k, wait)) return false;
    const auto [first, last] = piece(receives_, k);
    add(values<T>() + first, slot<T>(k), last - first);
    return true;
  }

  std::string_view name_;
  MPI_Comm comm_;
  std::vector<Message> sends_, receives_;  // a chunk each; cut into segments_ messages
  std::size_t chunks_, segment_bytes_;
  std::vector<double> scratch_;  // kSlots segments
  std::vector<MPI_Request> send_requests_, receive_requests_;
  PrivateArena arena_;

  // The sum that goes on. Elements of a chunk and of a segment; messages started, posted and finished.
  std::byte* data_ = nullptr;
  std::size_t count_ = 0, chunk_ = 0, segment_ = 1, segments_ = 0;
  std::size_t sent_ = 0, posted_ = 0, received_ = 0;
};

}  // namespace

std::unique_ptr<Allreduce> make_ring_allreduce(const World& world) {
  return std::make_unique<MessageAllreduce>(world, "ring", ring_steps(world.rank(), world.size()));
}

std::unique_ptr<Allreduce> make_halving_doubling_allreduce(const World& world) {
  return std::make_unique<MessageAllreduce>(world, "halving-doubling", halving_doubling_steps(world.rank(), world.size()));
}

std::unique_ptr<Allreduce> make_recursive_doubling_allreduce(const World& world) {
  return std::make_unique<MessageAllreduce>(world, "recursive-doubling", recursive_doubling_steps(world.rank(), world.size()));
}

}  // namespace lockstep
