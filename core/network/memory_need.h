#pragma once
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

namespace lockstep {

class Network;
struct MemoryRoom;

/// An Error if this process cannot get so many bytes (memory_room): "WHAT needs about 3.0 GiB of memory; LIMIT (OPTION). REMEDY". Call it
/// before they are allocated.
void expect_memory(double bytes, const std::string& what, const std::string& remedy);

/// About what a model needs on one rank, counted before it is allocated.
struct MemoryNeed {
  std::int64_t parameters = 0;
  std::int64_t batch = 0;  ///< rows of the global batch; 0: the weights alone
  double weights = 0;      ///< bytes of weights and optimizer state, once a host
  double row = 0;          ///< bytes of activations (and, in training, deltas) for one row
  double rows = 0;         ///< the same for all of this rank's rows
  double taken = 0;        ///< bytes already allocated
  double shared = 0;       ///< bytes that ranks of this host share in /dev/shm, counted in pages

  /// Of `own` rows on this rank, with `slots` floats of optimizer state a weight; `backward`: with the deltas of training. Built networks.
  static MemoryNeed of(Network& network, std::size_t slots, std::int64_t own, std::int64_t truth_width, bool backward);

  /// Bytes of `ranks` such ranks on one host.
  double of_host(int ranks) const { return weights + rows * ranks; }
  /// An Error if `ranks` such ranks need more than this process can get (memory_room).
  void check(int ranks) const;
  /// "a model of N parameters and batch B needs about X GiB on this rank", as an Error.
  [[noreturn]] void fail() const;
  [[noreturn]] void fail(const MemoryRoom& room) const;

  /// Runs `make`; memory that it does not get is the Error of fail().
  template <class Make>
  auto allocating(const Make& make) const {
    try {
      return make();
    } catch (const std::bad_alloc&) {
      fail();
    } catch (const std::length_error&) {  // of a vector longer than any memory
      fail();
    }
  }
};

}  // namespace lockstep
