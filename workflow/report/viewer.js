// The viewer of a scan: niivue and the scan's data are loaded when somebody asks for them.
"use strict";
(() => {
  const $ = id => document.getElementById(id), part = $("viewer"), says = text => { $("viewer-says").textContent = text; };

  const load = source => new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = done;
    script.onerror = () => failed(new Error(`${source} is not in the folder of this report.`));
    document.head.append(script);
  });

  function hasWebGL() {
    try { return Boolean(document.createElement("canvas").getContext("webgl2")); } catch { return false; }
  }

  async function start() {
    if (!hasWebGL()) {
      return says("This browser cannot draw in 3D (no WebGL 2). Open the page in another browser, or look at the picture above.");
    }
    $("start").disabled = true;
    says("Loading …");
    for (const source of [part.dataset.library, part.dataset.labels, part.dataset.scan]) await load(source);
    const canvas = $("canvas");
    $("stage").hidden = false;
    const viewer = new niivue.Niivue({
      backColor: [0, 0, 0, 1], dragAndDropEnabled: false, isColorbar: false, show3Dcrosshair: true,
      crosshairColor: [1, 1, 1, 0.6], crosshairWidth: 0.5, textHeight: 0.035, logLevel: "error",
      multiplanarShowRender: niivue.SHOW_RENDER.ALWAYS,
    });
    viewer.onLocationChange = tellPlace;
    await viewer.attachToCanvas(canvas);
    const read = (name, options) => niivue.NVImage.loadFromBase64({ base64: morphoScan[name], name: `${name}.nii.gz`, ...options });
    viewer.addVolume(await read("t1w", { colormap: "gray", cal_min: 20, cal_max: 235 }));
    const labels = await read("labels", { opacity: 0.5 });
    labels.setColormapLabel(morphoLabels);
    viewer.addVolume(labels);
    viewer.setSliceType(viewer.sliceTypeMultiplanar);
    viewer.updateGLVolume();
    $("view").addEventListener("change", event => viewer.setSliceType(Number(event.target.value)));
    $("opacity").addEventListener("input", event => viewer.setOpacity(1, event.target.value / 100));
    $("viewer-tools").hidden = false;
    $("start").hidden = true;
    says("Left side on the left. Click or drag in a plane to move, in the 3D part to turn.");
    document.body.dataset.viewer = "ready";
    return undefined;
  }

  // Name the label under the cross.
  function tellPlace(place) {
    const index = Math.round((place.values[1] || {}).value || 0), at = morphoLabels.I.indexOf(index);
    $("where").textContent = index && at > 0 ? morphoLabels.labels[at] : "no label";
  }

  $("start").addEventListener("click", () => start().catch(error => {
    $("start").disabled = false;
    says(`The viewer could not start: ${error.message}`);
  }));
})();
