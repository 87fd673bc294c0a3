// Outlines of the signs on the plans, about 20 px wide round their middle.
export const SHAPES = [
  "M0,-9.5 L9,-2.9 L5.6,7.7 L-5.6,7.7 L-9,-2.9 Z", // legged
  "M-8,-8 H8 V8 H-8 Z", // tracked
  "M0,-10 L10,8 L-10,8 Z", // aerial
];
export const BOLT = "M1,-8 L-5,1 L-0.5,1 L-2,8 L5,-2 L0.6,-2 Z";
export const FLAME = "M0,-7 C1,-3 5,-1 4,3 C3.4,6 1,7 0,7 C-1,7 -3.4,6 -4,3 C-4.6,0 -2,0 -2,-3 C-1,-2 0,-4 0,-7 Z";
export const MARKS: Record<string, string> = {
  entrance: "M-2,-6 H2 V-2 H6 V2 H2 V6 H-2 V2 H-6 V-2 H-2 Z",
  depot: "M-4.5,-4.5 H4.5 V4.5 H-4.5 Z",
  gateway: "M0,-5.6 L5.6,0 L0,5.6 L-5.6,0 Z",
  stair: "M0,-5 L5,4 L-5,4 Z",
  elevator: "M0,5 L5,-4 L-5,-4 Z",
};
