// Moves the line that divides the two images of a stage: with the range, or by dragging the images.
function slide(stage, range) {
  const move = () => stage.style.setProperty("--at", range.value + "%");
  const drag = (event) => {
    if (!event.buttons) return;
    const box = stage.getBoundingClientRect();
    range.value = Math.round((event.clientX - box.left) / box.width * 100);
    move();
  };
  range.addEventListener("input", move);
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("pointermove", drag);
  move();
}
