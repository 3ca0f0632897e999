// The ten silhouettes.
#include "io/import/garment_figures.h"

#include <array>
#include <cmath>

namespace lockstep {
namespace {

/// Everything worn above the waist, and dresses: body, two sleeves, a neckline. Half widths; lengths in figure units.
struct Top {
  float shoulder, chest, waist, hem;   // half widths
  float bottom;                        // y of the hem
  float neck, neck_depth;              // half width, depth of the neckline
  float sleeve, sleeve_width, spread;  // length (0: none), width at the cuff, how far the arms stand off
};

Figure top_figure(const Top& t) {
  const float top = -0.9F, armpit = top + 0.18F + t.sleeve_width, middle = 0.5F * (armpit + t.bottom);
  Figure figure;
  if (t.sleeve > 0) {
    const Point shoulder{t.shoulder, top + 0.08F};
    const float norm = 1.0F / std::sqrt(1.0F + t.spread * t.spread);
    const Point along{t.spread * norm, norm}, inward{-norm, t.spread * norm};
    const Point outer{shoulder.x + t.sleeve * along.x, shoulder.y + t.sleeve * along.y};
    const Point inner{outer.x + t.sleeve_width * inward.x, outer.y + t.sleeve_width * inward.y};
    const Outline sleeve{{t.shoulder * 0.8F, top + 0.04F}, shoulder, outer, inner, {t.chest * 0.85F, armpit}};
    figure.push_back({sleeve, 0.93F, true});
    figure.push_back({flipped(sleeve), 0.93F, true});
  }
  figure.push_back({mirrored({{0, top + t.neck_depth},
                              {t.neck * 0.75F, top + 0.6F * t.neck_depth},
                              {t.neck, top},
                              {t.shoulder, top + 0.08F},
                              {t.chest, armpit},
                              {t.waist, middle},
                              {t.hem, t.bottom}})});
  return figure;
}

void add_front_line(Figure& figure, const Top& t, float width, float tone) {
  figure.push_back({mirrored({{0.5F * width, -0.9F + t.neck_depth}, {0.5F * width, t.bottom}}), tone, false});
}

void add_collar(Figure& figure, const Top& t, float size, float tone) {
  const Outline flap{
      {t.neck, -0.92F}, {t.neck + 0.6F * size, -0.86F + size}, {0.02F, -0.9F + t.neck_depth + size}, {0.02F, -0.9F + t.neck_depth}};
  figure.push_back({flap, tone, false});
  figure.push_back({flipped(flap), tone, false});
}

Figure t_shirt(Draw& d) {
  const float width = d.uniform(0.40F, 0.62F);
  return top_figure({width, width * d.uniform(0.88F, 1.02F), width * d.uniform(0.80F, 1.05F), width * d.uniform(0.85F, 1.1F),
                     d.uniform(0.45F, 0.95F), width * d.uniform(0.3F, 0.6F), d.uniform(0.06F, 0.32F),
                     d.chance(0.12F) ? 0.0F : d.uniform(0.18F, 0.55F), d.uniform(0.2F, 0.34F), d.uniform(0.2F, 1.1F)});
}

Figure pullover(Draw& d) {
  const float width = d.uniform(0.40F, 0.58F);
  const Top t{width,
              width * d.uniform(0.92F, 1.08F),
              width * d.uniform(0.88F, 1.1F),
              width * d.uniform(0.85F, 1.1F),
              d.uniform(0.4F, 0.85F),
              width * d.uniform(0.25F, 0.5F),
              d.uniform(0.04F, 0.18F),
              d.uniform(1.05F, 1.6F),
              d.uniform(0.2F, 0.3F),
              d.uniform(0.12F, 0.45F)};
  Figure figure = top_figure(t);
  if (d.chance(0.5F))
    figure.push_back({mirrored({{t.hem * 0.98F, t.bottom - 0.13F}, {t.hem, t.bottom}}), d.uniform(0.75F, 0.95F), false});  // ribs
  if (d.chance(0.3F)) figure.push_back({mirrored({{t.neck, -0.98F}, {t.neck, -0.84F}}), d.uniform(0.8F, 1.0F), false});    // roll neck
  if (d.chance(0.08F)) add_front_line(figure, t, d.uniform(0.03F, 0.08F), d.uniform(0.5F, 0.9F));                          // zip
  return figure;
}

Figure coat(Draw& d) {
  const float width = d.uniform(0.40F, 0.58F);
  const Top t{width,
              width * d.uniform(0.92F, 1.06F),
              width * d.uniform(0.82F, 1.05F),
              width * d.uniform(0.92F, 1.25F),
              d.uniform(0.78F, 1.0F),
              width * d.uniform(0.3F, 0.5F),
              d.uniform(0.08F, 0.35F),
              d.uniform(0.95F, 1.65F),
              d.uniform(0.18F, 0.3F),
              d.uniform(0.04F, 0.35F)};
  Figure figure = top_figure(t);
  if (d.chance(0.93F)) add_front_line(figure, t, d.uniform(0.06F, 0.14F), d.uniform(0.15F, 0.6F));
  if (d.chance(0.6F)) add_collar(figure, t, d.uniform(0.12F, 0.4F), d.uniform(0.7F, 0.95F));
  return figure;
}

Figure shirt(Draw& d) {
  const float width = d.uniform(0.40F, 0.58F);
  const Top t{width,
              width * d.uniform(0.9F, 1.04F),
              width * d.uniform(0.8F, 1.06F),
              width * d.uniform(0.85F, 1.12F),
              d.uniform(0.5F, 0.85F),
              width * d.uniform(0.28F, 0.48F),
              d.uniform(0.06F, 0.22F),
              d.chance(0.25F) ? d.uniform(0.4F, 0.8F) : d.uniform(0.85F, 1.5F),
              d.uniform(0.16F, 0.3F),
              d.uniform(0.05F, 0.6F)};
  Figure figure = top_figure(t);
  if (d.chance(0.85F)) add_front_line(figure, t, d.uniform(0.05F, 0.09F), d.uniform(1.15F, 1.5F));
  if (d.chance(0.92F)) add_collar(figure, t, d.uniform(0.1F, 0.22F), d.uniform(1.15F, 1.6F));
  return figure;
}

Figure dress(Draw& d) {
  const float width = d.uniform(0.24F, 0.42F);
  return top_figure({width, width * d.uniform(0.85F, 1.1F), width * d.uniform(0.65F, 1.0F), width * d.uniform(0.95F, 1.9F),
                     d.uniform(0.78F, 1.0F), width * d.uniform(0.4F, 0.8F), d.uniform(0.05F, 0.35F),
                     d.chance(0.55F)  ? 0.0F
                     : d.chance(0.7F) ? d.uniform(0.15F, 0.5F)
                                      : d.uniform(0.8F, 1.3F),
                     d.uniform(0.12F, 0.24F), d.uniform(0.05F, 0.8F)});
}

Figure trouser(Draw& d) {
  const float waist = d.uniform(0.26F, 0.42F), hip = waist * d.uniform(1.0F, 1.25F),
              bottom = d.chance(0.15F) ? d.uniform(0.1F, 0.6F) : d.uniform(0.75F, 1.0F);
  const float crotch = d.uniform(-0.5F, -0.15F), cuff = hip * d.uniform(0.35F, 0.75F), stance = hip * d.uniform(0.35F, 0.75F),
              gap = d.uniform(0.0F, 0.06F);
  const Outline leg{{0, -0.95F},  {waist, -0.95F}, {hip, crotch}, {stance + 0.5F * cuff, bottom}, {stance - 0.5F * cuff, bottom},
                    {gap, crotch}};
  Figure figure{{leg}, {flipped(leg)}};
  if (d.chance(0.4F)) figure.push_back({mirrored({{waist, -0.95F}, {waist, -0.85F}}), d.uniform(0.6F, 0.9F), false});
  return figure;
}

Figure sandal(Draw& d) {
  const float heel = d.uniform(0.0F, 0.55F), sole = d.uniform(0.07F, 0.2F), ground = d.uniform(0.3F, 0.5F), back = ground - heel;
  const std::vector<Point> foot{{-0.92F, ground - 0.05F}, {-0.3F, ground - 0.02F - 0.2F * heel}, {0.4F, back}, {0.9F, back - 0.04F}};
  Figure figure{{band({foot, sole})}};
  if (heel > 0.12F)
    figure.push_back(
        {{{0.62F, back}, {0.92F, back}, {0.9F, ground + 0.05F}, {0.9F - d.uniform(0.06F, 0.25F), ground + 0.05F}}, 0.9F, false});
  const int straps = 1 + d.below(4);
  for (int i = 0; i < straps; ++i) {
    const float from = d.uniform(-0.85F, 0.5F), to = from + d.uniform(0.05F, 0.55F), height = d.uniform(0.2F, 0.55F);
    const float base = ground - heel * (from + 0.9F) * 0.5F;
    figure.push_back({band({{{from, base}, {0.5F * (from + to), base - height}, {to, base - 0.1F}}, d.uniform(0.06F, 0.18F)}),
                      d.uniform(0.7F, 1.1F), false});
  }
  if (d.chance(0.5F))
    figure.push_back(
        {band({{{0.85F, back}, {0.8F, back - d.uniform(0.3F, 0.7F)}, {0.4F, back - 0.35F}}, d.uniform(0.06F, 0.16F)}), 1.0F, false});
  return figure;
}

struct Shoe {
  float opening;  // y of the collar
  float shaft_width, sole, heel;
};

/// Shoe seen from the side, toe on the left.
Figure shoe_figure(Draw& d, const Shoe& s) {
  const float ground = d.uniform(0.35F, 0.55F), toe = d.uniform(0.1F, 0.28F), instep = d.uniform(-0.25F, 0.1F);
  Figure figure;
  figure.push_back({{{-0.95F, ground},
                     {-0.93F, ground - toe},
                     {-0.6F, ground - toe - d.uniform(0.03F, 0.14F)},
                     {instep, ground - 0.45F},
                     {0.9F - s.shaft_width, s.opening},
                     {0.9F, s.opening + d.uniform(-0.06F, 0.08F)},
                     {d.uniform(0.85F, 0.97F), ground - 0.2F},
                     {0.92F, ground}}});
  const float tone = d.chance(0.5F) ? d.uniform(0.35F, 0.8F) : d.uniform(1.0F, 1.4F);
  figure.push_back({{{-0.97F, ground - 0.5F * s.sole},
                     {0.95F, ground - 0.5F * s.sole},
                     {0.95F, ground + 0.5F * s.sole},
                     {-0.95F, ground + 0.5F * s.sole}},
                    tone,
                    false});
  if (s.heel > 0) figure.push_back({{{0.45F, ground}, {0.95F, ground}, {0.93F, ground + s.heel}, {0.5F, ground + s.heel}}, tone, false});
  return figure;
}

Figure sneaker(Draw& d) {
  Figure figure = shoe_figure(
      d, {d.chance(0.2F) ? d.uniform(-0.65F, -0.3F) : d.uniform(-0.32F, 0.0F), d.uniform(0.4F, 0.75F), d.uniform(0.1F, 0.26F), 0});
  const int laces = d.below(4);
  for (int i = 0; i < laces; ++i) {
    const float x = -0.3F + 0.15F * static_cast<float>(i);
    figure.push_back({band({{{x, 0.02F - 0.08F * static_cast<float>(i)}, {x + 0.15F, 0.18F}}, 0.06F}), d.uniform(0.5F, 1.4F), false});
  }
  if (d.chance(0.4F)) figure.push_back({band({{{-0.2F, 0.3F}, {0.6F, -0.05F}}, d.uniform(0.06F, 0.14F)}), d.uniform(0.4F, 1.4F), false});
  return figure;
}

Figure ankle_boot(Draw& d) {
  Figure figure = shoe_figure(
      d, {d.uniform(-0.95F, -0.42F), d.uniform(0.45F, 0.8F), d.uniform(0.05F, 0.18F), d.chance(0.6F) ? d.uniform(0.05F, 0.4F) : 0.0F});
  if (d.chance(0.35F)) figure.push_back({band({{{0.1F, -0.2F}, {0.9F, -0.15F}}, d.uniform(0.05F, 0.12F)}), d.uniform(0.5F, 1.3F), false});
  return figure;
}

Figure bag(Draw& d) {
  const float width = d.uniform(0.5F, 0.95F), top = d.uniform(-0.45F, 0.1F), bottom = d.uniform(0.4F, 0.9F),
              taper = d.uniform(0.75F, 1.12F);
  Figure figure;
  const float reach = width * d.uniform(0.3F, 0.85F), height = d.uniform(0.15F, 0.6F);
  if (d.chance(0.85F)) {
    figure.push_back({band({{{-reach, top + 0.05F},
                             {-0.8F * reach, top - 0.8F * height},
                             {0, top - height},
                             {0.8F * reach, top - 0.8F * height},
                             {reach, top + 0.05F}},
                            d.uniform(0.06F, 0.18F)}),
                      d.uniform(0.6F, 1.1F), false});
  }
  figure.push_back({mirrored({{width * taper, top}, {width * taper * 1.03F, 0.5F * (top + bottom)}, {width, bottom}})});
  if (d.chance(0.5F))
    figure.push_back({mirrored({{width * taper, top}, {width * 0.8F, top + d.uniform(0.15F, 0.4F)}, {0.1F, top + 0.45F}}),
                      d.uniform(0.7F, 0.95F), true});
  if (d.chance(0.5F)) figure.push_back({ellipse({0, top + d.uniform(0.15F, 0.4F)}, {0.1F, 0.08F}), d.uniform(0.4F, 1.5F), false});
  return figure;
}

constexpr std::array<Figure (*)(Draw&), 10> kFigures{t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot};

}  // namespace

Figure garment_figure(int label, Draw& draw) { return kFigures.at(static_cast<std::size_t>(label))(draw); }

}  // namespace lockstep
