// The generated bindings name this function so that a linker keeps the world's description.
// `bulkhead plugin build` writes that description itself.
#define JOIN(a, b) a##b
#define LINKED(world) JOIN(__component_type_object_force_link_, world)
void LINKED(BULKHEAD_WORLD)(void) {}
