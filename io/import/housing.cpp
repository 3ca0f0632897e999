#include "io/import/housing.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "io/import/canvas.h"

// The embedded regression table. Only + - * / and sqrt on doubles: the same bits on every machine.
namespace lockstep {
namespace {

struct House {
  double income, age, rooms, bedrooms, population, occupancy, latitude, longitude;
};

House draw_house(Draw& d) {
  House h{};
  const double wealth = d.uniform(0, 1);
  h.income = 0.8 + 4.0 * wealth + 7.0 * wealth * wealth * wealth * wealth;  // tens of thousands of dollars, a long right tail
  h.age = 1 + d.below(52);
  h.rooms = std::max(1.5, 3.6 + 0.45 * h.income + 0.9 * d.bell());
  h.bedrooms = std::max(0.5, 0.2 * h.rooms + 0.12 * d.bell());
  const double crowd = d.uniform(0.05F, 1);
  h.population = std::floor(40 + 6000 * crowd * crowd * crowd);
  h.occupancy = std::max(1.2, 2.9 - 0.08 * h.income + 0.6 * d.bell());
  h.latitude = d.uniform(32.5F, 42);
  h.longitude = d.uniform(-124.3F, -114.3F);
  return h;
}

/// Price in hundreds of thousands: income counts more near the two cities, crowding and distance from the coast count against, very old
/// houses are sought after again.
double price(const House& h) {
  const auto closeness = [&](double latitude, double longitude, double reach) {
    const double north = (h.latitude - latitude) / reach, east = (h.longitude - longitude) / reach;
    return 1 / (1 + north * north + east * east);
  };
  const double city = std::max(closeness(34.0, -118.3, 1.0), closeness(37.7, -122.4, 0.9));
  const double inland = std::clamp((h.longitude + 124.0 - 0.75 * (42.0 - h.latitude) * 0.9) / 5.0, 0.0, 1.0);
  const double age = (h.age - 24) / 26;
  return 0.35 + 0.24 * h.income * (1 + 1.6 * city) - 0.5 * inland * std::sqrt(h.income) + 0.3 * age * age + 0.9 * city / h.occupancy -
         0.25 * std::max(h.occupancy - 3, 0.0) + 0.08 * (h.rooms - 5.5) / (1 + h.bedrooms * h.bedrooms);
}

}  // namespace

Table make_housing(std::int64_t rows, std::uint64_t seed) {
  if (rows < 1) throw Error("housing: expected at least one row", kUsage);
  constexpr std::uint32_t kHouses = 16;  // apart from the garments' purposes
  Table table;
  table.feature_names = {"MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"};
  table.target_names = {"MedHouseVal"};
  table.rows = rows;
  table.description =
      "Made by 'lockstep data make housing': invented house prices (100,000 dollars), not linear in the eight features, with noise.";
  for (std::int64_t i = 0; i < rows; ++i) {
    Draw draw(seed, kHouses, static_cast<std::uint64_t>(i));
    const House h = draw_house(draw);
    for (double value : {h.income, h.age, h.rooms, h.bedrooms, h.population, h.occupancy, h.latitude, h.longitude}) {
      table.x.push_back(static_cast<float>(value));
    }
    const double noisy = price(h) + 0.3 * draw.bell();
    table.y.push_back(static_cast<float>(std::clamp(noisy, 0.15, 5.0)));
  }
  return table;
}

}  // namespace lockstep
